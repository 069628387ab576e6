//! What is asked of whom, and how refusals are told; issuers are stand-ins where two of a unit are needed.

use std::sync::Mutex;

use tallystick_proto::portal::v1::ElementsResponse;
use tallystick_proto::portal::v1::portal_service_server::{PortalService, PortalServiceServer};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{Endpoint, Server};
use tonic::{Request, Response};

use super::*;

#[test]
fn amounts_are_read_as_people_write_them() {
    for (text, fen) in [
        ("385.37", Some(38537)),
        ("385", Some(38500)),
        ("385.4", Some(38540)),
        (" ¥1,385.00 ", Some(138_500)),
        ("-0.01", Some(-1)),
        ("0", Some(0)),
        ("", None),
        ("385.371", None),
        (".5", None),
        ("--1", None),
        ("1e3", None),
        ("１", None),
        ("9999999999999", None),
    ] {
        assert_eq!(fen_of(text), fen, "{text}");
    }
}

#[test]
fn what_an_issuer_refuses_is_told_in_its_kind() {
    let told = |refusal: Refusal| problem_of(&refusal.to_status());
    let mismatch = told(Refusal::new(Reason::NotFoundOrMismatch).with_message("number 7 is not there"));
    assert_eq!(mismatch, Problem::new(ProblemKind::NoMatch), "and nothing besides");
    let limited = told(Refusal::new(Reason::RateLimited).with_retry_after_ms(61_000));
    assert_eq!(limited, Problem::after(ProblemKind::TooOften, Duration::from_secs(61)));
    for (refusal, kind) in [
        (Refusal::new(Reason::InProgress), ProblemKind::NotSealed),
        (Refusal::new(Reason::LedgerUnavailable), ProblemKind::NoNode),
        (Refusal::new(CallReason::NotReady), ProblemKind::NoNode),
        (Refusal::new(CallReason::NotPermitted), ProblemKind::NoIssuer),
        (Refusal::new(Reason::NumberUsed), ProblemKind::Refused),
        (Refusal::new(CallReason::NoDocument), ProblemKind::NoDocument),
        (Refusal::field("check_code", "is none"), ProblemKind::Form),
    ] {
        assert_eq!(told(refusal).kind, kind);
    }
    assert_eq!(problem_of(&Status::unavailable("gone")).kind, ProblemKind::NoIssuer);
}

/// An issuer that gives its own ticket, and judges whoever shows it again: it has the receipt or not.
#[derive(Clone)]
struct StandIn {
    ticket: &'static [u8],
    has: bool,
    /// What it says instead, if it is shown its ticket.
    refuses: Option<Reason>,
    /// Tickets that it was shown.
    shown: Arc<Mutex<Vec<Bytes>>>,
}

#[tonic::async_trait]
impl PortalService for StandIn {
    async fn fetch(&self, _: Request<FetchRequest>) -> Result<Response<FetchResponse>, Status> {
        Err(Status::unimplemented("not asked here"))
    }

    async fn fetch_by_reference(
        &self,
        request: Request<FetchByReferenceRequest>,
    ) -> Result<Response<FetchResponse>, Status> {
        let ticket = request.into_inner().attempt.unwrap_or_default().ticket;
        self.shown.lock().unwrap().push(ticket.clone());
        let answer = if ticket != self.ticket {
            FetchAnswer::Wait(Wait { ticket: Bytes::from_static(self.ticket), wait_ms: 1, good_for_ms: 1000 })
        } else if let Some(reason) = self.refuses {
            return Err(Refusal::new(reason).to_status());
        } else if self.has {
            FetchAnswer::Document(Document { file_name: "9.tally".to_owned(), ..Document::default() })
        } else {
            return Err(Refusal::new(Reason::NotFoundOrMismatch).to_status());
        };
        Ok(Response::new(FetchResponse { answer: Some(answer) }))
    }

    async fn elements(&self, _: Request<ElementsRequest>) -> Result<Response<ElementsResponse>, Status> {
        Err(Status::unimplemented("not asked here"))
    }
}

async fn served(issuer: StandIn) -> IssuerClient {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = Server::builder().add_service(PortalServiceServer::new(issuer));
    tokio::spawn(serving.serve_with_incoming(TcpListenerStream::new(listener)));
    IssuerClient::new(Endpoint::from_shared(format!("http://{address}")).unwrap().connect_lazy())
}

#[tokio::test]
async fn of_two_issuers_each_is_shown_its_own_ticket_and_the_second_is_reached() {
    let issuer = |ticket, has| StandIn { ticket, has, refuses: None, shown: Arc::default() };
    let (first, second) = (issuer(b"one", false), issuer(b"two", true));
    let clients = [(7, served(first.clone()).await), (9, served(second.clone()).await)];
    let room: Shares<Network> = Shares::new(DOCUMENT_BYTES_MAX, DOCUMENT_BYTES_MAX);
    let ask = async |ticket: Bytes| {
        let source = Network::of("192.0.2.1".parse().unwrap());
        let place = room.try_acquire(source, DOCUMENT_BYTES_MAX).unwrap();
        let request = FetchByReferenceRequest { attempt: Some(Try::default()), ..FetchByReferenceRequest::default() };
        ask_in_turn(clients.to_vec(), &request, (UnitTicket::read(ticket), place), &PortalMetrics::default())
            .await
            .unwrap()
    };
    let waits = |fetched| match fetched {
        Fetched::Wait(wait) => wait.ticket,
        other => panic!("{other:?}"),
    };
    let at_first = waits(ask(Bytes::new()).await);
    let at_second = waits(ask(at_first).await);
    let Fetched::Here(fetched) = ask(at_second).await else { panic!() };
    assert_eq!(fetched.document.file_name, "9.tally");
    assert_eq!(*first.shown.lock().unwrap(), [Bytes::new(), Bytes::from_static(b"one")]);
    assert_eq!(*second.shown.lock().unwrap(), [Bytes::new(), Bytes::from_static(b"two")]);
}

#[tokio::test]
async fn an_issuer_that_cannot_be_asked_keeps_nobody_from_the_next() {
    let dead = IssuerClient::new(Endpoint::from_static("http://127.0.0.1:1").connect_lazy());
    let has = StandIn { ticket: b"", has: true, refuses: None, shown: Arc::default() };
    let hasnt = StandIn { has: false, ..has.clone() };
    let room: Shares<Network> = Shares::new(DOCUMENT_BYTES_MAX, DOCUMENT_BYTES_MAX);
    let source = Network::of("192.0.2.1".parse().unwrap());
    let request = FetchByReferenceRequest { attempt: Some(Try::default()), ..FetchByReferenceRequest::default() };
    for (next, found) in [(has, true), (hasnt, false)] {
        let place = room.try_acquire(source, DOCUMENT_BYTES_MAX).unwrap();
        let clients = vec![(1, dead.clone()), (2, served(next).await)];
        let answer =
            ask_in_turn(clients, &request, (UnitTicket::read(Bytes::new()), place), &PortalMetrics::default()).await;
        match answer {
            Ok(Fetched::Here(_)) => assert!(found),
            Err(problem) => {
                assert_eq!((problem.kind, found), (ProblemKind::NoIssuer, false), "nobody knows that it has it not")
            }
            other => panic!("{other:?}"),
        }
    }
}

/// Whoever waits behind one that could not say is not told that nobody has it.
#[tokio::test]
async fn that_one_could_not_say_is_known_after_waiting_at_the_next() {
    let dead = IssuerClient::new(Endpoint::from_static("http://127.0.0.1:1").connect_lazy());
    let hasnt = StandIn { ticket: b"two", has: false, refuses: None, shown: Arc::default() };
    let clients = [(1, dead), (2, served(hasnt).await)];
    let room: Shares<Network> = Shares::new(DOCUMENT_BYTES_MAX, DOCUMENT_BYTES_MAX);
    let source = Network::of("192.0.2.1".parse().unwrap());
    let request = FetchByReferenceRequest { attempt: Some(Try::default()), ..FetchByReferenceRequest::default() };
    let ask = async |ticket| {
        let place = room.try_acquire(source, DOCUMENT_BYTES_MAX).unwrap();
        ask_in_turn(clients.to_vec(), &request, (UnitTicket::read(ticket), place), &PortalMetrics::default()).await
    };
    let Ok(Fetched::Wait(wait)) = ask(Bytes::new()).await else { panic!("the second has it wait") };
    assert_eq!(ask(wait.ticket).await.unwrap_err().kind, ProblemKind::NoIssuer);
}

/// What an issuer says of a receipt that it knows is the answer: at the next one it would be a wrong try.
#[tokio::test]
async fn what_one_knows_is_asked_of_no_other() {
    let knows = StandIn { ticket: b"", has: false, refuses: Some(Reason::InProgress), shown: Arc::default() };
    let next = StandIn { refuses: None, shown: Arc::default(), ..knows.clone() };
    let clients = vec![(1, served(knows).await), (2, served(next.clone()).await)];
    let room: Shares<Network> = Shares::new(DOCUMENT_BYTES_MAX, DOCUMENT_BYTES_MAX);
    let place = room.try_acquire(Network::of("192.0.2.1".parse().unwrap()), DOCUMENT_BYTES_MAX).unwrap();
    let request = FetchByReferenceRequest { attempt: Some(Try::default()), ..FetchByReferenceRequest::default() };
    let said = ask_in_turn(clients, &request, (UnitTicket::default(), place), &PortalMetrics::default()).await;
    assert_eq!(said.unwrap_err().kind, ProblemKind::NotSealed);
    assert!(next.shown.lock().unwrap().is_empty());
}
