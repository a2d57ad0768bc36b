"""Makes tests/fixtures/landscape.json: paths, planes, barriers and similarities of small given numbers, by numpy.

    python tests/parity/landscape_fixtures.py     # seconds; needs numpy only (made with 2.4.6)

Written from the definitions of spec section 7, apart from our own code and by other ways where there are some: dense vectors
instead of inner products, binomials instead of de Casteljau, dense updates and numpy's SVD instead of QR and Jacobi, HSIC with an
explicit centring matrix. Inputs lie on a grid of 1/64, so that float32 holds them exactly. Two ways to one number are held
against each other here before it is written.
"""
import json
import sys
from math import comb
from pathlib import Path

import numpy as np

FIXTURE = Path(__file__).resolve().parents[1] / "fixtures" / "landscape.json"
SEED = 20240229  # day of arXiv 2402.18865; case number i draws from its own generator [SEED, i]


def draw(generator, *shape, scale=1.0):
    """Normal numbers of spread `scale`, rounded to multiples of 1/64."""
    return np.round(generator.normal(scale=scale, size=shape) * 64) / 64


def close(what, left, right, limit=1e-11):
    error = np.abs(np.asarray(left, float) - np.asarray(right, float)).max(initial=0.0)
    assert error <= limit, f"{what}: the two ways differ by {error:.3g}, more than {limit:.3g}"


# ---------------------------------------------------------------- paths
def bezier_weights(points, t):
    """curves.py of dnn-mode-connectivity: binomial coefficients and powers."""
    return np.array([comb(points - 1, i) * t**i * (1 - t) ** (points - 1 - i) for i in range(points)])


def polychain_weights(points, t):
    return np.array([max(0.0, 1 - abs(t * (points - 1) - i)) for i in range(points)])


def slerp_weights(control, t):
    a, b = control
    lengths = np.linalg.norm(a), np.linalg.norm(b)
    angle = np.arccos(a @ b / lengths[0] / lengths[1])
    # turn the first direction inside the plane of both, then read the coefficients off by least squares
    first = a / lengths[0]
    beside = b - (b @ first) * first
    beside /= np.linalg.norm(beside)
    point = ((1 - t) * lengths[0] + t * lengths[1]) * (np.cos(t * angle) * first + np.sin(t * angle) * beside)
    return np.linalg.lstsq(control.T, point, rcond=None)[0]


def chain_weights(control, t):
    steps = np.linalg.norm(np.diff(control, axis=0), axis=1)
    knots = np.concatenate([[0.0], np.cumsum(steps)]) / steps.sum()
    return np.array([np.interp(t, knots, np.eye(len(control))[i]) for i in range(len(control))])


def paths(rng):
    cases = []
    for kind, points, weights in [
        ("bezier", 3, lambda control, t: bezier_weights(3, t)), ("bezier", 5, lambda control, t: bezier_weights(5, t)),
        ("polychain", 3, lambda control, t: polychain_weights(3, t)), ("polychain", 6, lambda control, t: polychain_weights(6, t)),
        ("slerp", 2, slerp_weights), ("chain", 5, chain_weights),
    ]:
        control = draw(rng, points, 7)
        ts = np.linspace(0, 1, 9)
        coefficients = np.array([weights(control, t) for t in ts])
        sampled = coefficients @ control
        lengths = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(sampled, axis=0), axis=1))])
        cases.append(dict(kind=kind, control_points=control, t=ts, coefficients=coefficients, points=sampled, arc_lengths=lengths))
    return cases


# ---------------------------------------------------------------- barriers
def barrier_numbers(t, losses, arc_lengths):
    inside, ends_known = (t > 0) & (t < 1), not (np.isnan(losses[0]) or np.isnan(losses[-1]))
    holes = int(np.isnan(losses).sum())
    result = dict(entezari=None, entezari_at=None, interior=None, frankle=None, gain=None, gain_at=None, mean=None, arc_length_mean=None)
    result.update(max=np.nanmax(losses), holes=holes)
    if ends_known:
        chord = (1 - t) * losses[0] + t * losses[-1]
        over = losses - chord
        result.update(entezari=np.nanmax(over), entezari_at=t[np.nanargmax(over)], interior=np.nanmax(over[inside]))
        result.update(frankle=np.nanmax(losses) - (losses[0] + losses[-1]) / 2)
        result.update(gain=np.nanmax(losses[inside]) - max(losses[0], losses[-1]), gain_at=t[inside][np.nanargmax(losses[inside])])
    if holes == 0:
        dl = np.diff(arc_lengths)  # eval_curve.py: trapezoids
        result.update(mean=losses.mean(), arc_length_mean=np.sum(0.5 * (losses[:-1] + losses[1:]) * dl) / dl.sum())
        close("trapezoids", result["arc_length_mean"], np.trapezoid(losses, arc_lengths) / (arc_lengths[-1] - arc_lengths[0]))
    return result


def barriers(rng):
    t = np.linspace(0, 1, 13)
    arc_lengths = np.concatenate([[0.0], np.cumsum(rng.uniform(0.1, 2.0, 12))])
    losses = [
        1.2 + 0.5 * t + 0.8 * np.sin(np.pi * t) + rng.normal(0, 0.05, 13),      # a hill
        2.0 - 0.7 * t - 0.3 * np.sin(np.pi * t) + rng.normal(0, 0.01, 13),      # a dip
        0.5 + np.cos(5 * t),
    ]
    broken = losses[0] + 0.1
    broken[4] = np.nan
    without_end = losses[1].copy()
    without_end[12] = np.nan
    tasks = [*losses, broken, without_end]
    # numpy's mean is NaN where one is, so that over all tasks has both holes
    expected = [barrier_numbers(t, curve, arc_lengths) for curve in [*tasks, np.mean(tasks, axis=0)]]
    as_list = [[None if np.isnan(value) else value for value in curve] for curve in tasks]
    return dict(t=t, arc_lengths=arc_lengths, losses=as_list, expected=expected)


# ---------------------------------------------------------------- planes
def planes(rng):
    cases = []
    for seed in range(2):
        anchors = draw(rng, 5, 9)
        w0, w1, w2 = anchors[:3]
        q, r = np.linalg.qr(np.stack([w2 - w0, w1 - w0], axis=1))
        q, r = q * np.sign(np.diag(r)), r * np.sign(np.diag(r))[:, None]
        offsets = anchors - w0
        places = offsets @ q
        residuals = [np.linalg.norm(offset - q @ (np.linalg.pinv(q) @ offset)) for offset in offsets]
        units = np.array([r[0, 0], r[1, 1]])
        ranges = np.array([-0.2, 0.5, 1.2])
        grid = np.array([w0 + a * units[0] * q[:, 0] + b * units[1] * q[:, 1] for b in ranges for a in ranges])
        cases.append(dict(kind="three", anchors=anchors, origin=w0, u=q[:, 0], v=q[:, 1], units=units,
                          positions=np.column_stack([places, residuals]), grid_points=grid))
    anchors = np.round((np.linspace(-2, 3, 7)[:, None] * draw(rng, 1, 9) + draw(rng, 7, 9, scale=0.4)) * 64) / 64
    mean = anchors.mean(axis=0)
    _, values, axes = np.linalg.svd(anchors - mean)  # of the vectors, where ours goes through their inner products
    assert values[0] > 1.5 * values[1] > 1.5 * 1.1 * values[2]
    places = (anchors - mean) @ axes[:2].T
    signs = np.sign(places[-1] - places[0])
    assert (np.abs(places[-1] - places[0]) > 0.05).all()
    q = axes[:2].T * signs
    residuals = np.linalg.norm((anchors - mean) - (anchors - mean) @ q @ q.T, axis=1)
    cases.append(dict(kind="principal", anchors=anchors, origin=mean, u=q[:, 0], v=q[:, 1],
                      positions=np.column_stack([places * signs, residuals]), explained=(values**2 / (values**2).sum())[:2]))
    return cases


# ---------------------------------------------------------------- adapters
MODULES = [(0, "q_proj", 6, 5), (0, "v_proj", 6, 4), (1, "q_proj", 7, 5)]  # layer, projection, in, out


def make_adapter(rng, rank, alpha):
    modules = [dict(layer=layer, projection=name, lora_a=draw(rng, rank, width, scale=0.5), lora_b=draw(rng, out, rank, scale=0.5))
               for layer, name, width, out in MODULES]
    return dict(r=rank, lora_alpha=alpha, modules=modules)


def updates_of(adapter):
    return [adapter["lora_alpha"] / adapter["r"] * module["lora_b"] @ module["lora_a"] for module in adapter["modules"]]


def filter_norms(rng):
    adapter = make_adapter(rng, 3, 6.0)
    adapter["modules"][1]["lora_b"][2] = 0.0  # a row of zeros
    norms = [{name: np.linalg.norm(module[name], axis=1) for name in ("lora_a", "lora_b")} for module in adapter["modules"]]
    return dict(adapter=adapter, norms=norms)


def principal_angles(left, right):
    """Columns span the spaces; orthonormal bases by numpy's SVD, cosines by another."""
    bases = []
    for side in (left, right):
        u, s, _ = np.linalg.svd(side, full_matrices=False)
        bases.append(u[:, s > 1e-9 * s[0]])
    cosines = np.linalg.svd(bases[0].T @ bases[1], compute_uv=False)
    # a second way: eigenvalues of the product of the two projectors are the squared cosines
    squares = np.sort(np.linalg.eigvals(bases[0] @ bases[0].T @ bases[1] @ bases[1].T).real)[::-1][: len(cosines)]
    close("squared cosines", squares, cosines**2, 1e-9)
    return np.arccos(np.clip(cosines, -1, 1))


def updates(rng):
    left, right = make_adapter(rng, 2, 4.0), make_adapter(rng, 3, 1.5)
    ours, theirs = (np.concatenate([update.ravel() for update in updates_of(side)]) for side in (left, right))
    pairs = list(zip(left["modules"], right["modules"]))
    return dict(
        left=left, right=right, norm_left=np.linalg.norm(ours), distance=np.linalg.norm(ours - theirs), inner=ours @ theirs,
        cosine=ours @ theirs / np.linalg.norm(ours) / np.linalg.norm(theirs),
        angles_a=[principal_angles(l["lora_a"].T, r["lora_a"].T) for l, r in pairs],
        angles_b=[principal_angles(l["lora_b"], r["lora_b"]) for l, r in pairs])


def refactor(rng):
    adapters = [make_adapter(rng, 2, 4.0), make_adapter(rng, 3, 3.0), make_adapter(rng, 1, 0.5)]
    coefficients = np.array([0.75, 0.5, -0.25])
    sums = [sum(c * update for c, update in zip(coefficients, terms)) for terms in zip(*map(updates_of, adapters))]
    ranks = []
    for rank in (1, 2, 4):
        cut, errors = [], []
        for total in sums:
            u, s, vt = np.linalg.svd(total, full_matrices=False)
            assert s[rank - 1] - (s[rank] if rank < len(s) else 0) > 0.01 or rank >= len(s), "the cut is a close call"
            cut.append(u[:, :rank] * s[:rank] @ vt[:rank])
            errors.append(np.linalg.norm(total - cut[-1]) / np.linalg.norm(total))
            close("tail of singular values", errors[-1], np.sqrt((s[rank:] ** 2).sum() / (s**2).sum()))
        whole = np.concatenate([total.ravel() for total in sums])
        lost = whole - np.concatenate([part.ravel() for part in cut])
        ranks.append(dict(rank=rank, relative_error=np.linalg.norm(lost) / np.linalg.norm(whole), module_errors=errors, updates=cut))
    return dict(adapters=adapters, coefficients=coefficients, ranks=ranks)


# ---------------------------------------------------------------- CKA
def cka(rng):
    cases = []
    for examples, p, q in [(20, 4, 6), (9, 12, 15)]:
        x = draw(rng, examples, p) + 0.5
        y = np.round((x @ rng.normal(size=(p, q)) * 0.4 + rng.normal(size=(examples, q))) * 64) / 64
        xc, yc = x - x.mean(axis=0), y - y.mean(axis=0)
        by_features = np.linalg.norm(yc.T @ xc) ** 2 / (np.linalg.norm(xc.T @ xc) * np.linalg.norm(yc.T @ yc))
        centring = np.eye(examples) - 1 / examples

        def hsic(k, l):
            return np.trace(k @ centring @ l @ centring) / (examples - 1) ** 2

        k, l = x @ x.T, y @ y.T
        by_hsic = hsic(k, l) / np.sqrt(hsic(k, k) * hsic(l, l))
        close("the two forms of CKA", by_features, by_hsic)
        cases.append(dict(x=x, y=y, feature_form=by_features, hsic_form=by_hsic))
    return cases


# ---------------------------------------------------------------- file
def plain(value):
    """For JSON: ten significant digits, arrays of two and more dimensions as {shape, data}, row-major."""
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    if isinstance(value, np.ndarray) and value.ndim > 1:
        return dict(shape=list(value.shape), data=plain(value.ravel()))
    if isinstance(value, (list, tuple, np.ndarray)):
        return [plain(part) for part in value]
    if isinstance(value, (float, np.floating)):
        assert np.isfinite(value)
        return float(f"{float(value):.10g}") + 0.0  # no negative zero
    return int(value) if isinstance(value, np.integer) else value


def main():
    result = dict(made_by="tests/parity/landscape_fixtures.py", seed=SEED, versions=dict(numpy=np.__version__, python=sys.version.split()[0]))
    for number, case in enumerate((paths, barriers, planes, filter_norms, updates, refactor, cka)):
        result[case.__name__] = plain(case(np.random.default_rng([SEED, number])))
    text = json.dumps(result, separators=(",", ":")) + "\n"
    assert len(text) < 60000, f"{len(text)} bytes: too large for a fixture"
    FIXTURE.write_text(text, encoding="utf-8")
    print(f"{len(text)} bytes in {FIXTURE}")


if __name__ == "__main__":
    main()
