"""Makes tests/fixtures/methods.json: what the formulas of the continual-learning papers give for small given numbers.

    python tests/parity/method_fixtures.py [--mammoth PATH/utils/metrics.py]    # seconds; needs numpy only (made with 2.4.6)

Written from the papers, apart from our own code. Inputs (save accuracies) lie on a grid of 1/64 or 1/256, so that float32 holds them
exactly and a test sees only the rounding of its own arithmetic. Gradients are complex-step derivatives, exact to float64, and each
is held against a central difference; quadratic programs are solved by trying all active sets and checked by their KKT conditions.
Where a choice is discrete (a sign, a ReLU, the largest similarities) the script asserts that it is not a close call.
With `--mammoth` (a copy of aimagelab/mammoth e75a491) its metric functions are run as they are and must agree with ours.
"""
import argparse
import hashlib
import importlib.util
import itertools
import json
import sys
from functools import partial
from pathlib import Path

import numpy as np

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
SEED = 20240229  # day of arXiv 2402.18865; case number i draws from its own generator [SEED, i]
CLEAR = 0.02  # no discrete choice may be closer than this


# ---------------------------------------------------------------- numbers
def draw(generator, *shape, scale=1.0, grid=64):
    """Normal numbers of spread `scale`, rounded to multiples of 1/grid."""
    return np.round(generator.normal(scale=scale, size=shape) * grid) / grid


def close(what, left, right, limit=1e-12):
    error = np.abs(np.asarray(left, float) - np.asarray(right, float)).max(initial=0.0)
    assert error <= limit, f"{what}: the two ways differ by {error:.3g}, more than {limit:.3g}"


def gradient(function, point):
    """Gradient of a real analytic `function` at `point`: imaginary part of f(x + ih) / h, checked by (f(x+d) - f(x-d)) / 2d."""
    result, difference = np.zeros(point.shape), np.zeros(point.shape)
    for index in np.ndindex(point.shape):
        step = np.zeros(point.shape)
        step[index] = 1.0
        result[index] = np.imag(function(point + 1e-30j * step)) / 1e-30
        difference[index] = np.real(function(point + 1e-5 * step) - function(point - 1e-5 * step)) / 2e-5
    close("complex step and central difference", result, difference, 1e-7 * (1 + np.abs(result).max()))
    return result


def absolute(x):
    assert np.abs(np.real(x)).min() > CLEAR, "an element is too near the kink of the absolute value"
    return np.where(np.real(x) < 0, -x, x)


def relu(x):
    assert np.abs(np.real(x)).min() > CLEAR, "an element is too near the kink of the ReLU"
    return np.where(np.real(x) > 0, x, 0)


def norm(x):
    return np.sqrt((x * x).sum())  # no conjugate, so that a complex step passes through


def log_softmax(x):
    shifted = x - np.real(x).max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


# ---------------------------------------------------------------- penalties and projections
def ewc(rng):
    """Kirkpatrick et al. 2017 (arXiv 1612.00796) eq. 3; online: Schwarz et al. 2018, Progress & Compress (arXiv 1805.06370)."""
    weight, decay = 2.5, 0.75
    theta = draw(rng, 12)
    tasks = [dict(anchor=theta + draw(rng, 12, scale=0.5), example_gradients=draw(rng, 5, 12)) for _ in range(3)]
    for task in tasks:
        task["fisher"] = np.array([np.mean([g[i] ** 2 for g in task["example_gradients"]]) for i in range(12)])

    def penalty(point, anchor, fisher):
        return weight / 2 * (fisher * (point - anchor) ** 2).sum()

    def expect(function):
        return dict(penalty=function(theta), gradient=gradient(function, theta))

    first = tasks[0]
    single = expect(lambda point: penalty(point, first["anchor"], first["fisher"]))
    close("EWC gradient", single["gradient"], weight * first["fisher"] * (theta - first["anchor"]))
    separate, online, running = [], [], np.zeros(12)
    for count, task in enumerate(tasks, 1):
        separate.append(expect(lambda point: sum(penalty(point, t["anchor"], t["fisher"]) for t in tasks[:count])))
        running = decay * running + task["fisher"]
        online.append(dict(fisher=running, **expect(lambda point: penalty(point, task["anchor"], running)),
                           penalty_with_decay=penalty(theta, task["anchor"], decay * running)))
    return dict(
        form="penalty = weight/2 sum_i F_i (theta_i - anchor_i)^2; F = mean over examples of squared gradients. separate[k]: sum of the"
             " penalties of tasks 0..k, each with its own anchor. online[k]: F <- decay F + F_k from F = 0, one anchor, that of task k."
             " penalty_with_decay: decay F in the place of F, as GMvandeVen/continual-learning e6d795a has it (and, from memory, the paper)."
             " Mammoth leaves the 1/2 out: its e_lambda is weight/2",
        weight=weight, decay=decay, theta=theta, tasks=tasks, single=single, separate=separate, online=online)


def a_gem_step(g, reference):
    return g - (g @ reference) / (reference @ reference) * reference if g @ reference < 0 else g


def a_gem(rng):
    """Chaudhry et al. 2019 (arXiv 1812.00420) eq. 11."""
    g, other = draw(rng, 10), draw(rng, 10)
    other = -other if g @ other > 0 else other
    assert g @ other < -1
    pairs = [("conflict", g, other), ("no conflict", g, -other), ("opposite", g, -2 * g),
             ("orthogonal", np.array([1.0, 2, -1, 0.5]), np.array([2.0, -1, 1, 2])), ("reference is zero", g, np.zeros(10))]
    cases = [dict(name=name, gradient=a, reference=b, dot=a @ b, projected=a_gem_step(a, b)) for name, a, b in pairs]
    close("A-GEM leaves no conflict", cases[0]["projected"] @ other, 0.0)
    return dict(form="g - (g.r / r.r) r if g.r < 0, else g", cases=cases)


def gem_dual(memory, g, margin, epsilon):
    """argmin 1/2 v'(GG' + eps I)v + (Gg)'v with v >= margin, by trying every set of coordinates that sit on the bound."""
    quadratic, linear = memory @ memory.T + epsilon * np.eye(len(memory)), memory @ g
    best = None
    for bound in itertools.product([True, False], repeat=len(memory)):
        free, v = ~np.array(bound), np.full(len(memory), margin)
        if free.any():
            right = -linear[free] - quadratic[np.ix_(free, ~free)] @ v[~free]
            v[free] = np.linalg.lstsq(quadratic[np.ix_(free, free)], right, rcond=1e-12)[0]
        multiplier = quadratic @ v + linear
        if (v >= margin - 1e-9).all() and (multiplier >= -1e-9).all() and np.abs(multiplier * (v - margin)).max() <= 1e-9:
            value = v @ quadratic @ v / 2 + linear @ v
            assert best is None or abs(best[0] - value) < 1e-8, "two KKT points of a convex program must have one value"
            best = best or (value, v)
    assert best is not None, "no active set satisfies the KKT conditions"
    return best[1], np.linalg.cond(quadratic) < 1e10


def gem_solution(memory, g, margin, epsilon):
    if not (memory @ g < 0).any():
        return dict(margin=margin, epsilon=epsilon, dual=None, projected=g)
    v, unique = gem_dual(memory, g, margin, epsilon)
    z = memory.T @ v + g
    assert (memory @ z >= -1e-9 - epsilon * v).all(), "the projected gradient conflicts with a memory"
    if epsilon == 0 and margin == 0:  # the primal: no feasible point, here many random ones, is nearer to g than z
        near = z + np.random.default_rng(SEED).normal(size=(20000, len(g))) * np.geomspace(1e-3, 1, 20000)[:, None]
        feasible = near[(near @ memory.T >= 0).all(1)]
        assert len(feasible) and np.linalg.norm(feasible - g, axis=1).min() >= np.linalg.norm(z - g), "GEM: z is not nearest"
    return dict(margin=margin, epsilon=epsilon, dual=v if unique else None, projected=z)


def gem(rng):
    """Lopez-Paz and Ranzato 2017 (arXiv 1706.08840) eq. 8-12; margin and epsilon as in the released code (34c6b8e) model/gem.py."""
    g = draw(rng, 10)

    def find(count, wanted, extra=lambda memory: True):
        while True:
            memory = draw(rng, count, 10, scale=0.5)
            dots = memory @ g
            if np.abs(dots).min() > 0.25 and wanted((dots < 0).sum()) and extra(memory):
                return memory

    def hidden_conflict(memory):
        """A memory that agrees with g and would be violated once the others have been served: all must be looked at together."""
        v, _ = gem_dual(memory, g, 0.0, 0.0)
        return ((memory @ g > 0) & (v > 0.05)).any()

    def both_active(memory):
        return (gem_dual(memory, g, 0.0, 0.0)[0] > 0.05).all()

    def nearly_parallel(accept):
        while True:
            memory = np.stack([one[0], one[0] + draw(rng, 10, scale=1 / 64, grid=256)])
            if accept(memory):
                return memory

    one = find(1, lambda n: n == 1, lambda memory: memory @ g < -1)
    named = [
        ("one, conflicting", one), ("one, agreeing", find(1, lambda n: n == 0)),
        ("two, both conflicting", find(2, lambda n: n == 2)), ("two, one conflicting", find(2, lambda n: n == 1)),
        ("three, all conflicting", find(3, lambda n: n == 3)), ("three, none conflicting", find(3, lambda n: n == 0)),
        ("three, an agreeing one becomes active", find(3, lambda n: n in (1, 2), hidden_conflict)),
        ("five, all conflicting", find(5, lambda n: n == 5)), ("five, partly", find(5, lambda n: n in (2, 3), hidden_conflict)),
        ("two, nearly parallel, one active", nearly_parallel(lambda memory: not both_active(memory))),
        ("two, nearly parallel, both active", nearly_parallel(both_active)),
        ("three, the last repeats the first", find(2, lambda n: n == 2, both_active)[[0, 1, 0]]),
    ]
    cases = [dict(name=name, memory=memory, dots=memory @ g, violated=bool((memory @ g < 0).any()),
                  solutions=[gem_solution(memory, g, m, e) for m in (0.0, 0.5) for e in (0.0, 0.001)]) for name, memory in named]
    close("GEM with one memory is A-GEM", cases[0]["solutions"][0]["projected"], a_gem_step(g, one[0]))
    return dict(
        form="if any <g, g_k> < 0: v = argmin 1/2 v'(GG' + epsilon I)v + (Gg)'v with v >= margin, projected = G'v + g; else projected = g."
             " The released code has epsilon 0.001. dual is null where nothing was projected or v is not unique",
        gradient=g, cases=cases)


# ---------------------------------------------------------------- distillation
def lwf(rng):
    """Li and Hoiem 2016 (arXiv 1606.09282) with the T^2 of Hinton et al. 2015 (arXiv 1503.02531)."""
    student, teacher, temperature = draw(rng, 4, 7, scale=1.5), draw(rng, 4, 7, scale=1.5), 2.0
    log_p = log_softmax(teacher / temperature)
    p = np.exp(log_p)

    def divergence(logits):
        return temperature ** 2 * (p * (log_p - log_softmax(logits / temperature))).sum(-1).mean()

    def cross_entropy(logits):
        return -temperature ** 2 * (p * log_softmax(logits / temperature)).sum(-1).mean()

    log_q = log_softmax(student / temperature)
    slope = gradient(divergence, student)
    close("closed form", slope, temperature / 4 * (np.exp(log_q) - p))
    close("both forms have one gradient", slope, gradient(cross_entropy, student))
    entropy = -temperature ** 2 * (p * log_p).sum(-1).mean()
    close("cross-entropy = divergence + entropy", cross_entropy(student), divergence(student) + entropy)
    return dict(
        form="loss = T^2 * mean over rows of KL(softmax(teacher/T) || softmax(student/T)), the T^2 on; gradient with respect to student."
             " cross_entropy_form = T^2 * mean CE, larger by the constant teacher_entropy, same gradient; Mammoth's term is"
             " cross_entropy_form / T^2. swapped = T^2 * mean KL(student || teacher), what arguments in the wrong order give",
        temperature=temperature, student=student, teacher=teacher, loss=divergence(student), gradient=slope,
        cross_entropy_form=cross_entropy(student), teacher_entropy=entropy,
        swapped=temperature ** 2 * (np.exp(log_q) * (log_q - log_p)).sum(-1).mean())


def der(rng):
    """Buzzega et al. 2020 (arXiv 2004.07211), the mean as in their code, aimagelab/mammoth e75a491."""
    logits, stored, alpha, beta = draw(rng, 6, 7), draw(rng, 6, 7), 0.5, 0.5
    current, buffer = 1.859375, 2.421875

    def error(h):
        return ((h - stored) ** 2).mean()

    slope = gradient(error, logits)
    close("closed form", slope, 2 * (logits - stored) / 42)
    return dict(
        form="mean_squared_error over all elements; der = ce_current + alpha mse; der_plus_plus = der + beta ce_buffer."
             " squared_norm_mean_over_rows is the paper's ||z - h||^2 averaged over rows (classes times larger)",
        logits=logits, stored=stored, mean_squared_error=error(logits), gradient=slope,
        squared_norm_mean_over_rows=((logits - stored) ** 2).sum(-1).mean(), alpha=alpha, beta=beta, ce_current=current, ce_buffer=buffer,
        der=current + alpha * error(logits), der_plus_plus=current + alpha * error(logits) + beta * buffer)


# ---------------------------------------------------------------- adapters and prompts
def o_lora(rng):
    """Wang et al. 2023 (arXiv 2310.14152); the released code (07117e1) src/uie_trainer_lora.py."""
    l1, l2, ce = 0.5, 0.25, 1.703125

    def products(old, new):
        return [a @ new.T for a in old]

    def module():
        while True:
            old, new = [draw(rng, 2, 5) for _ in range(2)], draw(rng, 2, 5)
            if min(np.abs(product).min() for product in products(old, new)) > 4 * CLEAR:
                return dict(a_old=old, a_new=new, b_new=draw(rng, 3, 2))

    modules = [module() for _ in range(2)]

    def term(of, new):
        return sum(absolute(product).sum() for product in products(of["a_old"], new))

    for entry in modules:
        entry["orthogonality"] = term(entry, entry["a_new"])
        entry["gradient_a_new"] = gradient(lambda new: term(entry, new), entry["a_new"])
        close("closed form", entry["gradient_a_new"], sum(np.sign(a @ entry["a_new"].T).T @ a for a in entry["a_old"]))
        close("tasks stacked along the rank", entry["orthogonality"], np.abs(np.concatenate(entry["a_old"]) @ entry["a_new"].T).sum())
        entry["l2_gradient_a_new"] = gradient(norm, entry["a_new"])
        entry["l2_gradient_b_new"] = gradient(norm, entry["b_new"])
    orthogonality = sum(entry["orthogonality"] for entry in modules)
    norms = sum(norm(entry[key]) for entry in modules for key in ("a_new", "b_new"))
    return dict(
        form="A [rank, in], B [out, rank]. orthogonality = sum over modules and old tasks of all |A_old A_new^T| entries; l2_term = sum over"
             " modules of ||A_new||_F + ||B_new||_F (norms, not squares); total = ce + l1 orthogonality + l2 l2_term",
        l1=l1, l2=l2, ce=ce, modules=modules, orthogonality=orthogonality, l2_term=norms, total=ce + l1 * orthogonality + l2 * norms)


def l2p(rng):
    """Wang et al. 2022 (arXiv 2112.08654), with the mean of a prompt as its key (LLMCL L2P.py, embedding_key mean)."""
    top = 2

    def similarity(prompts, queries):
        keys = prompts.mean(1)
        return np.stack([np.stack([q @ key / (norm(q) * norm(key)) for key in keys]) for q in queries])

    def order(cosines):
        return [sorted(range(len(row)), key=lambda k: -row[k]) for row in cosines]

    def suits(cosines):
        ranked = order(cosines)
        gaps = min(row[a[i]] - row[a[i + 1]] for row, a in zip(cosines, ranked) for i in range(top))
        picked = [k for a in ranked for k in a[:top]]
        unsorted, firsts = any(a[0] > a[1] for a in ranked), {a[0] for a in ranked}
        return gaps > CLEAR and unsorted and len(firsts) > 1 and 2 < len(set(picked)) < len(picked)

    while True:
        prompts, queries = draw(rng, 6, 2, 4), draw(rng, 3, 4)
        cosines = similarity(prompts, queries)
        if suits(cosines):
            break
    chosen = [row[:top] for row in order(cosines)]

    def mean_similarity(p):
        again = similarity(p, queries)
        return sum(again[row][k] for row, ks in enumerate(chosen) for k in ks) / (len(chosen) * top)

    slope = gradient(mean_similarity, prompts)
    unused = sorted(set(range(6)) - {k for ks in chosen for k in ks})
    assert unused and not slope[unused].any(), "a prompt that nobody chose has no gradient"
    return dict(
        form="key = mean over a prompt's vectors; cosine similarity; chosen = the top_k largest, best first (constant in the gradient);"
             " mean_similarity over rows and chosen; prefix = the chosen prompts' vectors, one prompt after the other."
             " summed_similarity = the released codes' mean over rows of the sum over chosen (top_k times larger). loss: - coefficient * it",
        prompts=prompts, queries=queries, top_k=top, keys=prompts.mean(1), similarity=cosines, chosen=chosen, unused=unused,
        mean_similarity=mean_similarity(prompts), summed_similarity=top * mean_similarity(prompts), gradient=slope,
        prefix=np.stack([np.concatenate([prompts[k] for k in ks]) for ks in chosen]))


def progressive_prompts(rng):
    """Razdaibiedina et al. 2023 (arXiv 2301.12314); ResMLP and the order of the released code (01572d6)."""
    epsilon, length, width, bottleneck = 1e-5, 2, 4, 3
    parts = ("prompt", "w1", "b1", "w2", "b2")

    def layer_norm(x, of):
        centred = x - x.mean(-1, keepdims=True)
        return centred / np.sqrt((centred * centred).mean(-1, keepdims=True) + epsilon) * of["norm_weight"] + of["norm_bias"]

    def transformed(of, normed):
        branch = relu(of["prompt"] @ of["w1"].T + of["b1"]) @ of["w2"].T + of["b2"]
        return of["prompt"] + (layer_norm(branch, of) if normed else branch)

    def task():
        while True:
            of = dict(prompt=draw(rng, length, width), w1=draw(rng, bottleneck, width, scale=0.5), b1=draw(rng, bottleneck, scale=0.5),
                      w2=draw(rng, width, bottleneck, scale=0.5), b2=draw(rng, width, scale=0.5),
                      norm_weight=1 + draw(rng, width, scale=0.25), norm_bias=draw(rng, width, scale=0.25))
            before = of["prompt"] @ of["w1"].T + of["b1"]
            if np.abs(before).min() > 4 * CLEAR and (before > 0).any(0).sum() >= 2 and (before < 0).any():
                return of

    weights, embedded, tasks = draw(rng, length, width), draw(rng, 3, width), [task() for _ in range(3)]
    for of in tasks:
        inputs = dict(of)
        for name, normed in (("plain", False), ("layer_norm", True)):
            def value(part, x):
                return (transformed({**inputs, part: x}, normed) * weights).sum()

            of[name] = dict(transformed=transformed(inputs, normed), value=value("prompt", inputs["prompt"]),
                            gradient={part: gradient(partial(value, part), inputs[part]) for part in parts})
    sequences = {name: [np.concatenate([tasks[k][name]["transformed"] for k in range(count, -1, -1)] + [embedded]) for count in range(3)]
                 for name in ("plain", "layer_norm")}
    return dict(
        form="plain: p' = p + W2 relu(W1 p + b1) + b2 (released BERT code); layer_norm: p' = p + LayerNorm(W2 relu(W1 p + b1) + b2) (released"
             " T5 code with layer_norm on; biased variance). W1 [bottleneck, width], W2 [width, bottleneck] as nn.Linear keeps them."
             " value = sum(p' * weights). sequences[k], while task k is learnt: its prompt, the frozen p' of tasks k-1, ..., 0, then the input",
        norm_epsilon=epsilon, weights=weights, input=embedded, tasks=tasks, sequences=sequences)


# ---------------------------------------------------------------- mode connectivity and metrics
def mc_sgd(rng):
    """Mirzadeh et al. 2021 (arXiv 2010.04495), last stage; direction as in the first author's CL-Gym (2e8f08a) mcsgd.py."""
    width, alphas = 6, np.array([0.25, 0.5, 0.75, 1.0])
    theta_prev, theta_new = draw(rng, width), draw(rng, width)
    w = theta_prev + 0.25 * (theta_new - theta_prev) + draw(rng, width, scale=0.1)
    losses = {}
    for name, rows in (("prev", 4), ("new", 8)):  # four rows: singular, flat directions as in an over-parameterised network
        factor = draw(rng, rows, width, scale=0.75, grid=8)
        losses[name] = dict(matrix=factor.T @ factor, centre=draw(rng, width))
        assert np.linalg.eigvalsh(losses[name]["matrix"]).min() > -1e-12

    def loss(name, x):
        away = x - losses[name]["centre"]
        return away @ losses[name]["matrix"] @ away / 2

    def point(name, x, alpha):
        start = theta_prev if name == "prev" else theta_new
        return start + alpha * (x - start)

    def mean_over_line(x):
        return sum(loss(name, point(name, x, alpha)) for name in losses for alpha in alphas) / len(alphas)

    def slope_at(name, x):
        return losses[name]["matrix"] @ (x - losses[name]["centre"])

    slope = gradient(mean_over_line, w)
    close("chain rule", slope, sum(alpha * slope_at(name, point(name, w, alpha)) for name in losses for alpha in alphas) / len(alphas))
    return dict(
        form="loss(x) = 1/2 (x - centre)' matrix (x - centre). objective_sum = sum over alphas of the prev loss at theta_prev +"
             " alpha (w - theta_prev) + the new loss at theta_new + alpha (w - theta_new), unweighted; objective_mean = objective_sum /"
             " number of alphas (the integral over both lines); gradient is of objective_mean. alpha = 0 is left out: constant in w. From"
             " memory of the paper, whose text was not at hand. Its first author's CL-Gym code also sums both lines unweighted over alpha in"
             " 0..1, but adds the gradients at the points without the chain rule's factor alpha, alpha = 0 among them: released_direction",
        theta_prev=theta_prev, theta_new=theta_new, w=w, alphas=alphas, losses=losses,
        loss_prev=[loss("prev", point("prev", w, alpha)) for alpha in alphas],
        loss_new=[loss("new", point("new", w, alpha)) for alpha in alphas],
        objective_sum=len(alphas) * mean_over_line(w), objective_mean=mean_over_line(w), gradient=slope,
        released_direction=sum(slope_at(name, point(name, w, alpha)) for name in losses for alpha in (0.0, *alphas)))


def scores(a, z):
    """Of matrix a[i][j], score on task j after task i, and zero-shot z; GEM (arXiv 1706.08840), forgetting of arXiv 1801.10112."""
    tasks = len(a)
    earlier = range(tasks - 1)
    return dict(
        average_accuracy=sum(a[-1]) / tasks, backward_transfer=sum(a[-1][j] - a[j][j] for j in earlier) / (tasks - 1),
        forgetting=sum(max(a[i][j] for i in range(tasks)) - a[-1][j] for j in earlier) / (tasks - 1),
        forgetting_of_seen=sum(max(a[i][j] for i in range(j, tasks)) - a[-1][j] for j in earlier) / (tasks - 1),
        forward_transfer=sum(a[j - 1][j] - z[j] for j in range(1, tasks)) / (tasks - 1))


def agree_with_mammoth(mammoth, case):
    a, z = case["matrix"], case["zero_shot"]
    theirs = dict(backward_transfer=mammoth.backward_transfer(a), forward_transfer=mammoth.forward_transfer(a, [[value] for value in z]),
                  forgetting=mammoth.forgetting([list(row) for row in a]),
                  forgetting_of_seen=mammoth.forgetting([list(row[:i + 1]) for i, row in enumerate(a)]))
    for name, value in theirs.items():
        close(f"Mammoth's {name}", value, case.get(name, case.get("forgetting_since_learnt")))
    close("average accuracy", case["average_accuracy"], np.mean(a[-1]))


def metrics(rng, mammoth_file):
    tables = []
    for tasks in (2, 4, 8):
        base, fall = rng.uniform(0.1, 0.5, tasks), rng.uniform(-0.1, 0.3, (tasks, tasks))
        a = [[round(float(base[j] + (0.4 - fall[i, j] if i >= j else fall[i, j] / 3)), 4) for j in range(tasks)] for i in range(tasks)]
        tables.append(dict(matrix=a, zero_shot=[round(float(v), 4) for v in base + rng.normal(0, 0.03, tasks)]))
    tables[1]["matrix"][0][2] = 0.9921  # task 2 was best before it was learnt: the two forms of forgetting part
    cases = [dict(table, **scores(table["matrix"], table["zero_shot"])) for table in tables]
    checked = None
    if mammoth_file:
        module = importlib.util.spec_from_file_location("mammoth_metrics", mammoth_file)
        mammoth = importlib.util.module_from_spec(module)
        module.loader.exec_module(mammoth)
        older = json.loads((FIXTURES / "matrix_metrics.json").read_text(encoding="utf-8"))["cases"]
        for case in [*cases, *(case for case in older if case["tasks"] > 1)]:
            agree_with_mammoth(mammoth, case)
        checked = f"aimagelab/mammoth utils/metrics.py, sha256 {hashlib.sha256(Path(mammoth_file).read_bytes()).hexdigest()}"
    for case in cases:
        case["matrix"] = np.array(case["matrix"])
    return dict(
        form="matrix[i][j] = score on task j after task i, 0-based. forgetting: largest of the whole column - last (Mammoth on full rows);"
             " forgetting_of_seen: largest from the task's own row on (Mammoth on rows cut off after the task just learnt)",
        agreed_with=checked, cases=cases)


# ---------------------------------------------------------------- file
def plain(value):
    """For JSON: nine significant digits, arrays of two and more dimensions as {shape, data}, row-major."""
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    if isinstance(value, np.ndarray) and value.ndim > 1:
        return dict(shape=list(value.shape), data=plain(value.ravel()))
    if isinstance(value, (list, tuple, np.ndarray)):
        return [plain(part) for part in value]
    if isinstance(value, (float, np.floating)):
        assert np.isfinite(value)
        return float(f"{float(value):.9g}") + 0.0  # no negative zero
    return int(value) if isinstance(value, np.integer) else value


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mammoth", help="Mammoth's utils/metrics.py, to be run against our metrics")
    parser.add_argument("--output", type=Path, default=FIXTURES / "methods.json")
    options = parser.parse_args()
    cases = (ewc, a_gem, gem, lwf, der, o_lora, l2p, mc_sgd, progressive_prompts)
    result = dict(made_by="tests/parity/method_fixtures.py", seed=SEED, versions=dict(numpy=np.__version__, python=sys.version.split()[0]))
    for number, case in enumerate(cases):
        result[case.__name__] = plain(case(np.random.default_rng([SEED, number])))
    result["metrics"] = plain(metrics(np.random.default_rng([SEED, len(cases)]), options.mammoth))
    text = json.dumps(result, separators=(",", ":"), ensure_ascii=False) + "\n"
    assert len(text) < 60000, f"{len(text)} bytes: too large for a fixture"
    options.output.write_text(text, encoding="utf-8")
    print(f"{len(text)} bytes in {options.output}")


if __name__ == "__main__":
    main()
