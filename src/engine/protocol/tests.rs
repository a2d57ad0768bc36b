//! What is said survives being written down.

use super::*;

#[test]
fn events_and_commands_survive_json() {
    let event = Event::Stepped {
        run: 1,
        step: StepReport { step: 7, losses: vec![("total".into(), 0.5)], ..StepReport::default() },
        steps_total: 100,
        eta_secs: Some(1.5),
    };
    let json = serde_json::to_string(&event).unwrap();
    assert_eq!(serde_json::from_str::<Event>(&json).unwrap(), event);
    assert_eq!(serde_json::to_string(&Steer::SingleStep).unwrap(), "\"single_step\"");
    let refused = Event::ModelInspected { model: "m".into(), result: Err("no".into()) };
    assert_eq!(serde_json::from_str::<Event>(&serde_json::to_string(&refused).unwrap()).unwrap(), refused);
    let command = Command::Start { run: 3, experiment: Box::default() };
    let json = serde_json::to_string(&command).unwrap();
    assert_eq!(serde_json::from_str::<Command>(&json).unwrap(), command);
}
