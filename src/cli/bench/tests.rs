//! Tests of what `bench` computes and reads; the measuring itself is the engine's.

use super::*;

const LINE: &str = r#"{"framework":"pytorch","shape":"stories260K","threads":2,"batch":8,"seq":128,"rank":8,"targets":1016,
"warmup":5,"steps":30,"median_ms":20.0,"min_ms":16.0,"max_ms":22.0,"peak_rss_bytes":1048576,"torch":"2.15","peft":"0.20"}"#;

fn timing(median_secs: f64, min_secs: f64) -> StepTiming {
    StepTiming { first_secs: 1.0, median_secs, min_secs, steps: 10, loss: 6.2 }
}

#[test]
fn the_scripts_line_is_found_among_others() {
    let line = LINE.replace('\n', "");
    let theirs = parse(&format!("Loading weights\n{{}}\n{line}\n"), "stories260K").unwrap();
    assert_eq!((theirs.targets, theirs.peak_rss_bytes), (8 * 127, Some(1 << 20)));
    assert!(parse(&line, "SmolLM2-135M").is_none());
    let shape = shape("stories260k").unwrap();
    let text = pytorch_lines(&shape, &timing(0.010, 0.004), &theirs);
    assert!(text.contains("ours/theirs  0.50 median, 0.25 min"), "{text}");
}

#[test]
fn an_i_lora_step_is_two_plain_ones_and_a_forward_pass() {
    let shape = shape("smollm2-135m").unwrap();
    let plain = step_flops(&shape.config, &shape.workload, false);
    let forward = step_flops(&shape.config, &shape.workload, true);
    let ratio = tied_flops(&shape) / plain;
    assert!(ratio > 2.2 && ratio < 2.0 + forward / plain, "{ratio}");
    let text = tied_lines(&shape, &timing(1.0, 1.0), &timing(ratio, ratio));
    assert!(text.contains("ratio 1.00"), "{text}");
}

#[test]
fn both_shapes_are_those_of_the_script() {
    let script = std::fs::read_to_string(script()).unwrap();
    for name in ["stories260K", "smollm2-135m"] {
        let shape = shape(name).unwrap();
        let (_, of) = script.split_once(&format!("\"{}\": dict(", shape.name)).unwrap();
        let of = of.split_once(')').unwrap().0;
        for (key, value) in [
            ("hidden_size", shape.config.hidden_size),
            ("num_hidden_layers", shape.config.num_hidden_layers),
            ("num_attention_heads", shape.config.num_attention_heads),
            ("num_key_value_heads", shape.config.num_key_value_heads),
            ("intermediate_size", shape.config.intermediate_size),
            ("vocab_size", shape.config.vocab_size),
            ("seq", shape.workload.seq),
            ("batch", shape.workload.batch),
        ] {
            let has = of.split(',').any(|part| part.trim() == format!("{key}={value}"));
            assert!(has, "{name}: the script has another {key} than {value}: {of}");
        }
    }
}
