//! Live views on several servers: whoever watches at one sees what another issued.

use crate::fleet::{Fleet, admin, publish};
use crate::harness::{PATIENCE, Server, converse};
use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};

/// A live view that is being watched.
struct Stream {
    response: Response,
    text: String,
}

impl Stream {
    async fn open(server: &Server, path: &str, bearer: Option<&str>) -> Self {
        let client = Client::builder()
            .no_proxy()
            .read_timeout(PATIENCE)
            .build()
            .unwrap();
        let mut request = client.get(format!("{}{path}", server.url));
        if let Some(bearer) = bearer {
            request = request.bearer_auth(bearer);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        Self {
            response,
            text: String::new(),
        }
    }

    /// Reads until an event is as it should be.
    async fn until(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            while let Some((block, rest)) = self.text.split_once("\n\n") {
                let data = block.lines().find_map(|line| line.strip_prefix("data: "));
                let event = data.map(|data| serde_json::from_str::<Value>(data).unwrap());
                self.text = rest.to_owned();
                if let Some(event) = event.filter(&wanted) {
                    return event;
                }
            }
            let piece = self.response.chunk().await.unwrap();
            let piece = piece.expect("the stream goes on");
            self.text.push_str(std::str::from_utf8(&piece).unwrap());
        }
    }
}

#[test]
fn whoever_watches_at_one_server_sees_what_another_one_issues() {
    let Some(fleet) = Fleet::open() else { return };
    let servers = [fleet.serve(&[]), fleet.serve(&[])];
    let worker = fleet.work();
    let here = admin(&servers[0]);
    for strategy in ["database", "redis-script"] {
        let coupon = publish(&here, 3, &json!({ "strategy": strategy }));
        let (public, private) = (
            format!("{coupon}/events"),
            format!("{}/events", coupon.replace("/v1/", "/v1/admin/")),
        );
        converse(async {
            let mut everybodys = Stream::open(&servers[1], &public, None).await;
            let key = crate::fleet::ADMIN_KEY;
            let mut administrators = Stream::open(&servers[1], &private, Some(key)).await;
            everybodys.until(|event| event["remaining"] == 3).await;
            for user in ["kim", "lee", "park"] {
                let body = json!({ "userId": user });
                let path = format!("{coupon}/issues");
                let issued = here.try_ask(reqwest::Method::POST, &path, Some(body)).await;
                assert_eq!(issued.unwrap().0, StatusCode::CREATED, "{strategy}");
            }
            let last = everybodys.until(|event| event["remaining"] == 0).await;
            assert_eq!(last["state"], "soldOut", "{strategy}");
            let last = administrators.until(|event| event["issued"] == 3).await;
            assert_eq!(last["remaining"], 0, "{strategy}");
        });
    }
    for process in servers.into_iter().chain([worker]) {
        let (status, log) = process.stop();
        assert!(status.success(), "{log}");
    }
}
