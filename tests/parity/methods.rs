//! The rules of the continual-learning methods against their papers' formulas, evaluated in double precision by an independent
//! script (`method_fixtures.py`): penalties, projections, distillation, distances of logits, orthogonality, choice of prompts,
//! gradients on lines; and the accuracy matrix's numbers as Mammoth's own functions give them.

use crate::oracle::{close, close_in_length, close_number, cpu, fixtures, floats, json, scalar, values};
use burn::tensor::{Tensor, TensorData};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use std::sync::Arc;
use thalweg::continual::metrics::AccuracyMatrix;
use thalweg::continual::progressive_prompts::Shape;
use thalweg::continual::{a_gem, der, ewc, gem, lwf, mc_sgd, o_lora};
use thalweg::model::adapter::ModuleFactors;
use thalweg::model::{Adapter, AdapterLayout, LoraConfig, SoftPrompt};

/// Relative to the expected vector's length, as single precision grants.
const TOLERANCE: f64 = 1e-5;

fn said(name: &str) -> Value {
    json(&fixtures().join("methods.json"))[name].take()
}

fn vector(value: &Value) -> Tensor<1> {
    let numbers = floats(value);
    let length = numbers.len();
    Tensor::from_data(TensorData::new(numbers, [length]), &cpu().device)
}

fn shape(value: &Value) -> Vec<usize> {
    value["shape"].as_array().unwrap().iter().map(|size| usize::try_from(size.as_u64().unwrap()).unwrap()).collect()
}

fn matrix(value: &Value) -> Tensor<2> {
    let shape = shape(value);
    vector(value).reshape([shape[0], shape[1]])
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

#[test]
fn ewc_penalty_and_gradient() {
    let said = said("ewc");
    let weight = number(&said["weight"]);
    let theta = vector(&said["theta"]);
    let (mut separate, mut online) = (ewc::Anchors::none(&theta), ewc::Anchors::none(&theta));
    for (k, task) in list(&said["tasks"]).iter().enumerate() {
        let examples = matrix(&task["example_gradients"]);
        let count = examples.dims()[0] as f64;
        let fisher = (examples.clone() * examples).sum_dim(0).div_scalar(count).reshape([theta.dims()[0]]);
        close_in_length("fisher", &values(fisher.clone()), &floats(&task["fisher"]), TOLERANCE);
        separate = separate.with_task(fisher.clone(), vector(&task["anchor"]));
        online = online.online(fisher, vector(&task["anchor"]), number(&said["decay"]));
        for (name, anchors) in [("separate", &separate), ("online", &online)] {
            let want = &said[name][k];
            let (penalty, gradient) = anchors.penalty(theta.clone());
            let penalty = scalar(penalty.mul_scalar(weight));
            let size = number(&want["penalty"]);
            close_number(&format!("{name} {k} penalty"), penalty, &want["penalty"], TOLERANCE * size);
            let gradient = values(gradient.mul_scalar(weight));
            close_in_length(&format!("{name} {k} gradient"), &gradient, &floats(&want["gradient"]), TOLERANCE);
        }
        close_in_length(
            "online fisher",
            &values(online.curvature.clone()),
            &floats(&said["online"][k]["fisher"]),
            1e-5,
        );
    }
}

#[test]
fn a_gem_projection() {
    for case in list(&said("a_gem")["cases"]) {
        let name = case["name"].as_str().unwrap();
        let (projected, conflict) = a_gem::project(vector(&case["gradient"]), vector(&case["reference"]));
        let want = floats(&case["projected"]);
        // "opposite" leaves nothing, so the tolerance is taken of the gradient's own size
        close(&format!("a_gem {name}"), &values(projected), &want, TOLERANCE * 3.0);
        assert_eq!(scalar(conflict) > 0.0, number(&case["dot"]) < 0.0, "{name}");
    }
}

#[test]
fn gem_projection_against_all_active_sets() {
    let said = said("gem");
    let gradient = floats(&said["gradient"]);
    let dot = |a: &[f32], b: &[f32]| -> f64 { a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum() };
    let mut compared = 0;
    for case in list(&said["cases"]) {
        let name = case["name"].as_str().unwrap();
        let memory = floats(&case["memory"]);
        let rows: Vec<&[f32]> = std::iter::once(gradient.as_slice()).chain(memory.chunks(gradient.len())).collect();
        let gram: Vec<f64> = rows.iter().flat_map(|a| rows.iter().map(move |b| dot(a, b))).collect();
        for solution in list(&case["solutions"]).iter().filter(|solution| number(&solution["epsilon"]) == 0.0) {
            let weights = gem::dual(&gram, number(&solution["margin"]));
            assert_eq!(weights.is_some(), case["violated"].as_bool().unwrap(), "{name}");
            let mut projected: Vec<f64> = gradient.iter().map(|value| f64::from(*value)).collect();
            for (row, weight) in rows[1..].iter().zip(weights.unwrap_or_default()) {
                projected.iter_mut().zip(*row).for_each(|(sum, value)| *sum += weight * f64::from(*value));
            }
            let got: Vec<f32> = projected.iter().map(|value| *value as f32).collect();
            let what = format!("gem {name}, margin {}", solution["margin"]);
            close_in_length(&what, &got, &floats(&solution["projected"]), TOLERANCE);
            compared += 1;
        }
    }
    assert!(compared >= 20, "{compared}");
}

#[test]
fn lwf_distillation_and_its_gradient() {
    let said = said("lwf");
    let student = matrix(&said["student"]).autodiff().require_grad();
    let loss = lwf::distillation(student.clone(), matrix(&said["teacher"]), number(&said["temperature"]));
    close_number("lwf loss", scalar(loss.clone().without_autodiff()), &said["loss"], TOLERANCE * 2.0);
    let gradient = student.grad(&loss.backward()).unwrap();
    close_in_length("lwf gradient", &values(gradient), &floats(&said["gradient"]), TOLERANCE);
}

#[test]
fn der_distance_of_logits_and_its_gradient() {
    let said = said("der");
    let logits = matrix(&said["logits"]).autodiff().require_grad();
    let distance = der::logit_distance(logits.clone(), matrix(&said["stored"]));
    let value = scalar(distance.clone().without_autodiff());
    close_number("der distance", value, &said["mean_squared_error"], TOLERANCE * 2.0);
    let gradient = logits.grad(&distance.backward()).unwrap();
    close_in_length("der gradient", &values(gradient), &floats(&said["gradient"]), TOLERANCE);
}

#[test]
fn o_lora_overlap_norms_and_their_gradients() {
    let said = said("o_lora");
    let leaf = |value: &Value| matrix(value).autodiff().require_grad();
    let cases = list(&said["modules"]);
    let modules: Vec<ModuleFactors> =
        cases.iter().map(|case| ModuleFactors { a: leaf(&case["a_new"]), b: leaf(&case["b_new"]) }).collect();
    // Two tasks' factors stand below one another, as the method keeps them.
    let frozen: Vec<Tensor<2>> =
        cases.iter().map(|case| Tensor::cat(list(&case["a_old"]).iter().map(matrix).collect(), 0)).collect();
    let overlap = o_lora::overlap(&frozen, &modules).unwrap();
    let norms = o_lora::norms(&modules).unwrap();
    let value = |term: &Tensor<1>| scalar(term.clone().without_autodiff());
    close_number("overlap", value(&overlap), &said["orthogonality"], TOLERANCE * 30.0);
    close_number("norms", value(&norms), &said["l2_term"], TOLERANCE * 30.0);
    let (by_overlap, by_norms) = (overlap.backward(), norms.backward());
    for (case, module) in cases.iter().zip(&modules) {
        let close = |what: &str, got: Option<Tensor<2>>| {
            close_in_length(what, &values(got.unwrap()), &floats(&case[what]), TOLERANCE);
        };
        close("gradient_a_new", module.a.grad(&by_overlap));
        close("l2_gradient_a_new", module.a.grad(&by_norms));
        close("l2_gradient_b_new", module.b.grad(&by_norms));
    }
}

#[test]
fn l2p_choice_and_its_gradient() {
    let said = said("l2p");
    let sizes = shape(&said["prompts"]);
    let leaf = vector(&said["prompts"]).autodiff().require_grad();
    let top_k = usize::try_from(said["top_k"].as_u64().unwrap()).unwrap();
    let prompts = leaf.clone().reshape([sizes[0], sizes[1], sizes[2]]);
    let queries = matrix(&said["queries"]);
    let [rows, width] = queries.dims();
    // A row of one token asks with that token's embedding.
    let (x, choice) = SoftPrompt::Pool { prompts, top_k }.prepend(queries, &vec![1; rows], 1);
    let length = top_k * sizes[1];
    let x = values(x.without_autodiff());
    let prefix: Vec<f32> =
        x.chunks((length + 1) * width).flat_map(|row| row[..length * width].iter().copied()).collect();
    close("prefix", &prefix, &floats(&said["prefix"]), 0.0);
    let choice = choice.unwrap();
    let mut counts = vec![0.0; sizes[0]];
    for prompt in list(&said["chosen"]).iter().flat_map(list) {
        counts[usize::try_from(prompt.as_u64().unwrap()).unwrap()] += 1.0;
    }
    assert_eq!(values(choice.counts), counts);
    close_number("similarity", scalar(choice.similarity.clone().without_autodiff()), &said["mean_similarity"], 1e-6);
    let gradient = leaf.grad(&choice.similarity.backward()).unwrap();
    close_in_length("similarity gradient", &values(gradient), &floats(&said["gradient"]), TOLERANCE);
}

#[test]
fn progressive_prompts_through_their_mlp() {
    let said = said("progressive_prompts");
    let weights = matrix(&said["weights"]);
    // The fixture's weights are [out, in], as PyTorch has them.
    let turned = |value: &Value| {
        let turned = matrix(value).swap_dims(0, 1);
        let size = turned.dims().iter().product::<usize>();
        turned.reshape([size])
    };
    for task in list(&said["tasks"]) {
        let [length, hidden_size] = matrix(&task["prompt"]).dims();
        let bottleneck = list(&task["b1"]).len();
        let shape = Shape { length, hidden_size, bottleneck };
        let parts = |of: &Value| {
            let prompt = vector(&of["prompt"]);
            Tensor::cat(vec![prompt, turned(&of["w1"]), vector(&of["b1"]), turned(&of["w2"]), vector(&of["b2"])], 0)
        };
        let leaf = parts(task).autodiff().require_grad();
        assert_eq!(leaf.dims()[0], shape.size());
        let prompt = shape.prompt(&leaf);
        let want = &task["plain"];
        let transformed = values(prompt.clone().without_autodiff());
        close_in_length("prompt", &transformed, &floats(&want["transformed"]), TOLERANCE);
        let sum = (prompt * weights.clone()).sum();
        close_number("value", scalar(sum.clone().without_autodiff()), &want["value"], TOLERANCE * 10.0);
        let gradient = leaf.grad(&sum.backward()).unwrap();
        close_in_length("gradient", &values(gradient), &values(parts(&want["gradient"])), TOLERANCE);
    }
}

#[test]
fn mc_sgd_gradient_along_both_lines() {
    let said = said("mc_sgd");
    let model = crate::oracle::Fixture::open("tiny-llama3");
    let layout = Arc::new(AdapterLayout::new(&model.config, &LoraConfig::default()).unwrap());
    let blank = Adapter::init(&layout, &mut ChaCha8Rng::seed_from_u64(0), &cpu().device);
    let point = |name: &str| {
        let mut flat = floats(&said[name]);
        flat.resize(layout.length(), 0.0);
        blank.with_flat(Tensor::from_data(TensorData::new(flat, [layout.length()]), &cpu().device))
    };
    let size = list(&said["w"]).len();
    let alphas = list(&said["alphas"]).len();
    let quadratic = |name: &str| {
        let (matrix, centre) = (matrix(&said["losses"][name]["matrix"]), vector(&said["losses"][name]["centre"]));
        move |at: &Adapter| {
            let gap = at.flat().slice([0..size]) - centre.clone();
            let pull = matrix.clone().matmul(gap.clone().reshape([size, 1])).reshape([size]);
            let loss = (gap * pull.clone()).sum().mul_scalar(0.5);
            (Tensor::cat(vec![pull, Tensor::zeros([layout_rest(at, size)], &at.flat().device())], 0), loss)
        }
    };
    let w = point("w");
    let (to_prev, prev) = mc_sgd::line_gradient(&point("theta_prev"), &w, alphas, quadratic("prev"));
    let (to_new, new) = mc_sgd::line_gradient(&point("theta_new"), &w, alphas, quadratic("new"));
    let objective = scalar(prev) + scalar(new);
    close_number("objective", objective, &said["objective_mean"], TOLERANCE * 25.0);
    let gradient = values((to_prev + to_new).slice([0..size]));
    close_in_length("gradient", &gradient, &floats(&said["gradient"]), TOLERANCE);
}

fn layout_rest(adapter: &Adapter, size: usize) -> usize {
    adapter.layout().length() - size
}

#[test]
fn mammoth_reads_the_same_numbers_off_a_matrix() {
    let said = said("metrics");
    assert!(said["agreed_with"].is_string(), "the script was run with Mammoth's own functions");
    for case in list(&said["cases"]) {
        let (scores, zero_shot) = (&case["matrix"], floats(&case["zero_shot"]));
        let tasks = zero_shot.len();
        let mut matrix = AccuracyMatrix::new(tasks);
        for (place, score) in list(&scores["data"]).iter().enumerate() {
            matrix.set_score(place / tasks, place % tasks, number(score));
        }
        for (task, score) in list(&case["zero_shot"]).iter().enumerate() {
            matrix.set_zero_shot(task, number(score));
        }
        for (name, got) in [
            ("average_accuracy", matrix.average_accuracy()),
            ("backward_transfer", matrix.backward_transfer()),
            ("forgetting", matrix.forgetting()),
            ("forward_transfer", matrix.forward_transfer()),
        ] {
            assert!((got.unwrap() - number(&case[name])).abs() < 1e-8, "{tasks} tasks: {name} {got:?} {}", case[name]);
        }
    }
}
