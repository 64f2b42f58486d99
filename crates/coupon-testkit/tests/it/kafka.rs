//! Apache Kafka.

use std::path::Path;
use std::time::Duration;

use coupon_testkit::{FaultProxy, Kafka, KafkaOptions, free_port, or_skip, wait_until};

const LIMIT: Duration = Duration::from_secs(90);

#[test]
fn one_broker_answers_and_comes_back_after_kill_9() {
    let Some(mut kafka) = or_skip(Kafka::start(&KafkaOptions::default())) else {
        return;
    };
    assert_eq!(kafka.alive().unwrap(), [1].into());
    assert_eq!(kafka.bootstrap(), format!("127.0.0.1:{}", kafka.port(1).unwrap()));
    kafka.kill9(1).unwrap();
    assert!(kafka.alive().is_err());
    kafka.restart(1).unwrap();
    assert_eq!(kafka.alive().unwrap(), [1].into());

    let data = kafka.data_dir(1).unwrap();
    let pid = kafka.pid(1).unwrap();
    drop(kafka);
    assert!(!data.parent().unwrap().exists());
    assert!(!Path::new(&format!("/proc/{pid}")).exists());
}

#[test]
fn of_three_brokers_two_go_on_without_the_third() {
    let Some(mut kafka) = or_skip(Kafka::start(&KafkaOptions::brokers(3))) else {
        return;
    };
    assert_eq!(kafka.alive().unwrap(), [1, 2, 3].into());
    kafka.kill9(2).unwrap();
    assert!(wait_until(LIMIT, || {
        kafka.alive().is_ok_and(|alive| alive == [1, 3].into())
    }));
    kafka.restart(2).unwrap();
    assert!(wait_until(LIMIT, || {
        kafka.alive().is_ok_and(|alive| alive == [1, 2, 3].into())
    }));
}

#[test]
fn clients_can_be_led_through_a_proxy() {
    let port = free_port().unwrap();
    let proxy = FaultProxy::to(port).unwrap();
    let options = KafkaOptions::default().behind(&[port], &[proxy.port()]);
    let Some(kafka) = or_skip(Kafka::start(&options)) else {
        return;
    };
    assert_eq!(kafka.port(1).unwrap(), port);
    assert_eq!(kafka.bootstrap(), format!("127.0.0.1:{}", proxy.port()));
    assert_eq!(kafka.alive().unwrap(), [1].into());
}

#[test]
fn a_setting_that_makes_no_sense_is_told_in_the_brokers_words() {
    let Some(_) = or_skip(Kafka::shared_bootstrap()) else {
        return;
    };
    let error = Kafka::start(&KafkaOptions::default().set("num.io.threads", "none")).unwrap_err();
    assert!(error.to_string().contains("num.io.threads"), "{error}");
}
