//! Requests of one connection whose answers go out together, beside others that decode much.

use super::*;

/// Requests of a connection that are under way at a time: one that has more than one gives way.
const AT_ONCE: u64 = 32;

/// A request of so many spans.
fn spans(number: u64) -> Vec<u8> {
    let one = ExportTraceServiceRequest::decode(&*one_span(5)).unwrap();
    let resource_spans = one.resource_spans.into_iter().cycle();
    let resource_spans = resource_spans.take(usize::try_from(number).unwrap());
    ExportTraceServiceRequest {
        resource_spans: resource_spans.collect(),
    }
    .encode_to_vec()
}

/// Has the journal answer each request with the number of its spans, as rejected ones.
fn journal_counts(served: &mut Served) {
    let mut queue = served.queue.take().unwrap();
    served.tasks.spawn(async move {
        while let Some(queued) = queue.requests.recv().await {
            let answer = Answer {
                rejected: queued.submission.decoded.classes.received.total,
                message: "counted".to_owned(),
            };
            queued.reply.send(Ok(answer)).unwrap_or_default();
        }
    });
}

/// What an answer says was rejected.
async fn rejected(request: reqwest::RequestBuilder) -> u64 {
    #[derive(Clone, PartialEq, prost::Message)]
    struct Response {
        #[prost(message, optional, tag = "1")]
        partial: Option<Partial>,
    }
    #[derive(Clone, PartialEq, prost::Message)]
    struct Partial {
        #[prost(uint64, tag = "1")]
        rejected: u64,
    }
    let reply = Reply::of(request.send().await.unwrap()).await;
    assert_eq!(reply.status, StatusCode::OK);
    let response = Response::decode(&*reply.body).unwrap();
    response.partial.unwrap_or_default().rejected
}

/// Sends requests of `numbers` spans on one connection, all at once, and compares each answer with its request.
async fn answers_are_right(
    served: &Served,
    client: &reqwest::Client,
    coding: &'static str,
    numbers: std::ops::Range<u64>,
) {
    let mut asked = JoinSet::new();
    for number in numbers.clone() {
        let body = match coding {
            "gzip" => gzip(&spans(number)),
            _ => spans(number),
        };
        let request = client
            .post(served.url("/v1/traces"))
            .header("content-type", "application/x-protobuf")
            .header("content-encoding", coding)
            .body(body);
        asked.spawn(async move { (number, rejected(request).await) });
    }
    let answers = asked.join_all().await;
    assert_eq!(answers.len() as u64, numbers.end - numbers.start);
    for (number, answer) in answers {
        assert_eq!(answer, number, "the answer of another request");
    }
}

#[tokio::test]
async fn every_request_of_a_connection_that_gives_way_gets_its_own_answer() {
    let mut served = Served::start().await;
    journal_counts(&mut served);
    let (small, large) = (client(true), client(true));
    for round in 0..3 {
        let first = 1 + round * AT_ONCE;
        tokio::join!(
            answers_are_right(&served, &small, "identity", first..first + AT_ONCE),
            // Below and above the size that is decoded on the spot.
            answers_are_right(&served, &large, "gzip", 3000..3003),
            answers_are_right(&served, &large, "identity", 8000..8002),
        );
    }
}
