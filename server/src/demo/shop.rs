//! The demo's shop as data: its services, regions and customers, and what one visit calls.
//!
//! Durations are medians of the operation's own work, calls not counted. Shares are in percent.

use std::time::Duration;

/// A service of the shop; each runs in every region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Service {
    EdgeGateway,
    Checkout,
    Payments,
    Search,
    Identity,
}

/// Where an instance of a service runs, `cloud.region`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Region {
    EuWest,
    UsEast,
    ApSouth,
}

/// The plan a customer is on, `customer.tier`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tier {
    Free,
    Standard,
    Enterprise,
}

/// An HTTP operation of a service.
#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) service: Service,
    pub(crate) method: &'static str,
    pub(crate) route: &'static str,
    /// The span's name: method and route, as the semantic conventions ask.
    pub(crate) name: &'static str,
    pub(crate) work: Work,
    /// How often the operation refuses what a customer asks, and with which status below 500.
    pub(crate) refusal: Option<Refusal>,
    pub(crate) steps: &'static [Step],
}

/// What an operation does beside its own work, in this order.
#[derive(Debug)]
pub(crate) enum Step {
    /// Work worth a span of its own.
    Inside(&'static str, Work),
    /// A call of another service.
    Call(&'static Operation),
}

/// A time that varies log-normally.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Work {
    pub(crate) median: Duration,
    /// Standard deviation of the time's natural logarithm.
    pub(crate) spread: f64,
}

/// An answer that is the customer's doing, so it spends no error budget.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    /// Share of the operation's requests, 0 to 1.
    pub(crate) share: f64,
}

/// Something customers do, and how often, over all regions.
#[derive(Debug)]
pub(crate) struct Journey {
    pub(crate) operation: &'static Operation,
    pub(crate) per_minute: u64,
}

impl Service {
    pub(crate) const ALL: [Self; 5] = [
        Self::EdgeGateway,
        Self::Checkout,
        Self::Payments,
        Self::Search,
        Self::Identity,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::EdgeGateway => "edge-gateway",
            Self::Checkout => "checkout",
            Self::Payments => "payments",
            Self::Search => "search",
            Self::Identity => "identity",
        }
    }

    /// The version that runs everywhere while nothing is being rolled out.
    pub(crate) fn version(self) -> &'static str {
        match self {
            Self::EdgeGateway => "2.8.0",
            Self::Checkout => "4.21.2",
            Self::Payments => "7.3.1",
            Self::Search => "3.14.0",
            Self::Identity => "1.19.4",
        }
    }
}

impl Region {
    pub(crate) const ALL: [Self; 3] = [Self::EuWest, Self::UsEast, Self::ApSouth];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::EuWest => "eu-west",
            Self::UsEast => "us-east",
            Self::ApSouth => "ap-south",
        }
    }

    /// The region of a visit, for a number from 0 to 99.
    pub(crate) fn of_percent(percent: u8) -> Self {
        match percent {
            ..45 => Self::EuWest,
            45..80 => Self::UsEast,
            _ => Self::ApSouth,
        }
    }
}

impl Tier {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Standard => "standard",
            Self::Enterprise => "enterprise",
        }
    }

    /// The tier of a visit, for a number from 0 to 99.
    pub(crate) fn of_percent(percent: u8) -> Self {
        match percent {
            ..55 => Self::Free,
            55..88 => Self::Standard,
            _ => Self::Enterprise,
        }
    }
}

const fn work(median_ms: u64, spread: f64) -> Work {
    Work {
        median: Duration::from_millis(median_ms),
        spread,
    }
}

const fn refuses(status: u16, share: f64) -> Refusal {
    Refusal { status, share }
}

/// Everything customers do. The sum is 120 requests a second at the edge.
pub(crate) static JOURNEYS: [Journey; 5] = [
    Journey {
        operation: &EDGE_SEARCH,
        per_minute: 2_700,
    },
    Journey {
        operation: &EDGE_PRODUCT,
        per_minute: 1_800,
    },
    Journey {
        operation: &EDGE_CART,
        per_minute: 1_080,
    },
    Journey {
        operation: &EDGE_CHECKOUT,
        per_minute: 960,
    },
    Journey {
        operation: &EDGE_SIGN_IN,
        per_minute: 660,
    },
];

static EDGE_SEARCH: Operation = Operation {
    service: Service::EdgeGateway,
    method: "GET",
    route: "/api/search",
    name: "GET /api/search",
    work: work(3, 0.4),
    refusal: None,
    steps: &[Step::Call(&SEARCH)],
};

static EDGE_PRODUCT: Operation = Operation {
    service: Service::EdgeGateway,
    method: "GET",
    route: "/api/products/{id}",
    name: "GET /api/products/{id}",
    work: work(3, 0.4),
    refusal: None,
    steps: &[Step::Call(&PRODUCT)],
};

static EDGE_CART: Operation = Operation {
    service: Service::EdgeGateway,
    method: "POST",
    route: "/api/cart/items",
    name: "POST /api/cart/items",
    work: work(3, 0.4),
    refusal: None,
    steps: &[Step::Call(&CART)],
};

static EDGE_CHECKOUT: Operation = Operation {
    service: Service::EdgeGateway,
    method: "POST",
    route: "/api/checkout",
    name: "POST /api/checkout",
    work: work(4, 0.4),
    refusal: None,
    steps: &[Step::Call(&CHECKOUT)],
};

static EDGE_SIGN_IN: Operation = Operation {
    service: Service::EdgeGateway,
    method: "POST",
    route: "/api/sign-in",
    name: "POST /api/sign-in",
    work: work(3, 0.4),
    refusal: None,
    steps: &[Step::Call(&SIGN_IN)],
};

static SEARCH: Operation = Operation {
    service: Service::Search,
    method: "GET",
    route: "/search",
    name: "GET /search",
    work: work(9, 0.5),
    refusal: Some(refuses(400, 0.004)),
    steps: &[Step::Inside("rank results", work(34, 0.55))],
};

static PRODUCT: Operation = Operation {
    service: Service::Search,
    method: "GET",
    route: "/products/{id}",
    name: "GET /products/{id}",
    work: work(12, 0.5),
    refusal: Some(refuses(404, 0.012)),
    steps: &[],
};

static CART: Operation = Operation {
    service: Service::Checkout,
    method: "POST",
    route: "/cart/items",
    name: "POST /cart/items",
    work: work(18, 0.5),
    refusal: Some(refuses(409, 0.006)),
    steps: &[],
};

static CHECKOUT: Operation = Operation {
    service: Service::Checkout,
    method: "POST",
    route: "/checkout",
    name: "POST /checkout",
    work: work(24, 0.45),
    refusal: Some(refuses(422, 0.01)),
    steps: &[
        Step::Call(&SESSION),
        Step::Inside("reserve stock", work(21, 0.6)),
        Step::Call(&CHARGE),
    ],
};

static CHARGE: Operation = Operation {
    service: Service::Payments,
    method: "POST",
    route: "/charges",
    name: "POST /charges",
    work: work(14, 0.4),
    refusal: Some(refuses(402, 0.02)),
    steps: &[Step::Inside("authorize card", work(95, 0.4))],
};

static SESSION: Operation = Operation {
    service: Service::Identity,
    method: "GET",
    route: "/sessions/{id}",
    name: "GET /sessions/{id}",
    work: work(4, 0.4),
    refusal: None,
    steps: &[],
};

static SIGN_IN: Operation = Operation {
    service: Service::Identity,
    method: "POST",
    route: "/sign-in",
    name: "POST /sign-in",
    work: work(11, 0.4),
    refusal: Some(refuses(401, 0.07)),
    steps: &[Step::Inside("verify password", work(58, 0.2))],
};

#[cfg(test)]
mod tests {
    use super::{JOURNEYS, Operation, Step};

    #[test]
    fn span_names_are_method_and_route() {
        fn check(operation: &Operation) {
            assert_eq!(
                operation.name,
                format!("{} {}", operation.method, operation.route)
            );
            for step in operation.steps {
                if let Step::Call(called) = step {
                    check(called);
                }
            }
        }
        for journey in &JOURNEYS {
            check(journey.operation);
        }
    }

    #[test]
    fn the_edge_takes_120_requests_a_second() {
        let per_minute: u64 = JOURNEYS.iter().map(|journey| journey.per_minute).sum();
        assert_eq!(per_minute, 120 * 60);
    }
}
