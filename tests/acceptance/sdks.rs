//! Unmodified OpenTelemetry SDKs of other languages: everything they sent is counted, exactly.

use acceptance::home::Home;
use acceptance::sdk::{Language, Sending, Sent, send};
use acceptance::sloburn::Sloburn;
use acceptance::specs;
use anyhow::Result;

#[tokio::test]
async fn every_event_of_the_python_sdk_is_counted() -> Result<()> {
    counted(
        Language::Python,
        &[
            ("grpc", "cumulative"),
            ("grpc", "delta"),
            ("http", "cumulative"),
            ("http", "delta"),
        ],
    )
    .await
}

#[tokio::test]
async fn every_event_of_the_node_sdk_is_counted() -> Result<()> {
    let ways = [
        ("grpc", "cumulative"),
        ("grpc", "delta"),
        ("http", "cumulative"),
        ("http", "delta"),
        ("http-json", "cumulative"),
        ("http-json", "delta"),
    ];
    counted(Language::Node, &ways).await
}

async fn counted(language: Language, ways: &[(&str, &str)]) -> Result<()> {
    let home = Home::new()?;
    for (protocol, temporality) in ways {
        let service = format!("shop-{protocol}-{temporality}");
        let documents = [
            specs::availability(&format!("{service}-spans"), &service, 0.9, "1d"),
            specs::counter(
                &format!("{service}-orders"),
                &service,
                "shop.orders",
                "outcome",
                "failed",
            ),
            specs::histogram(
                &format!("{service}-durations"),
                &service,
                "shop.order.duration",
                0.25,
            ),
            specs::histogram(
                &format!("{service}-values"),
                &service,
                "shop.basket.value",
                100.0,
            ),
        ];
        home.spec(&format!("{service}.yaml"), &documents.concat())?;
    }
    let sloburn = home.start().await?;
    let mut all = Vec::new();
    for (protocol, temporality) in ways {
        let service = format!("shop-{protocol}-{temporality}");
        let endpoint = if *protocol == "grpc" {
            sloburn.grpc()
        } else {
            sloburn.http()
        };
        let sending = Sending {
            protocol,
            temporality,
            service: &service,
            endpoint: &endpoint,
            spans: 1_001,
            points: 101,
        };
        let sent = send(language, &sending).await?;
        all.push((service, sent));
    }
    for (service, sent) in &all {
        exactly(&sloburn, service, sent).await?;
    }
    assert!(sloburn.stop().await?.success());
    Ok(())
}

async fn exactly(sloburn: &Sloburn, service: &str, sent: &Sent) -> Result<()> {
    for (indicator, total, bad) in [
        ("spans", sent.spans, sent.spans_failed),
        ("orders", sent.orders, sent.orders_failed),
        ("durations", sent.durations, sent.durations_slow),
        ("values", sent.values, sent.values_high),
    ] {
        let name = format!("{service}-{indicator}");
        let slo = sloburn.slo_that(&name, |slo| slo.total >= total).await?;
        assert_eq!((slo.total, slo.bad), (total, bad), "{name}: counted, sent");
    }
    Ok(())
}
