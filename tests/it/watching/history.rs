//! Histories that a stream cannot go on in.

use chancery::crypto::ConsistencyToken;
use chancery::model::Revision;

use super::*;
use crate::meddle::Meddler;

fn behind(token: &ConsistencyToken) -> pb::WatchChangesRequest {
    pb::WatchChangesRequest { resume_after: token.to_string(), ..Default::default() }
}

#[tokio::test]
async fn a_state_that_never_was_is_not_gone_on_from() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let (acme, eve) = watched(&service).await;
        let old: ConsistencyToken = rename(&service, &acme, "Old").await.parse().unwrap();
        let new: ConsistencyToken = rename(&service, &acme, "New").await.parse().unwrap();
        let other = [7; 8];
        for token in [
            ConsistencyToken { hash8: other, ..old },
            ConsistencyToken { hash8: other, ..new },
            ConsistencyToken { revision: new.revision.next(), ..new },
            ConsistencyToken { platform: new.platform.next(), ..new },
            ConsistencyToken { revision: Revision(u64::MAX >> 1), ..new },
        ] {
            let opened = Watch::open(&service, &eve, behind(&token)).await;
            refused(opened, Code::DataLoss, "HISTORY_LOST");
        }
        for token in [old, new] {
            assert!(Watch::open(&service, &eve, behind(&token)).await.is_ok());
        }
    }
}

#[tokio::test]
async fn what_the_ledger_does_not_reach_back_to_is_told_to_be_gone() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let (acme, eve) = watched(&service).await;
        let mut tokens: Vec<ConsistencyToken> = Vec::new();
        for round in 0..3 {
            tokens.push(rename(&service, &acme, &format!("Name {round}")).await.parse().unwrap());
        }
        let meddler = Meddler::new(&service.url).await;
        let revision = tokens[1].revision;
        let tenant = "select tenant_id from accounts where display_name = 'Name 2'";
        let old = format!("tenant_id = ({tenant}) and revision <= {revision}");
        meddler.run(&format!("delete from ledger where {old}")).await;
        // Another server, that has kept nothing of it in memory.
        let replica = service.replica().await;
        let opened = Watch::open(&replica, &eve, behind(&tokens[0])).await;
        refused(opened, Code::OutOfRange, "HISTORY_PRUNED");
        for token in &tokens[1..] {
            assert!(Watch::open(&replica, &eve, behind(token)).await.is_ok());
        }
        replica.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_store_that_is_turned_back_ends_the_streams_of_what_was_lost() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let (acme, eve) = watched(&service).await;
        let meddler = Meddler::new(&service.url).await;
        meddler.copy().await;
        let mut watch = Watch::open(&service, &eve, of(&acme)).await.unwrap();
        for round in 0..3 {
            rename(&service, &acme, &format!("Name {round}")).await;
            watch.write().await.unwrap();
        }
        meddler.restore().await;
        refused(Err::<(), _>(watch.end().await), Code::DataLoss, "HISTORY_LOST");
        // From the beginning of what is there now, it goes on.
        let mut watch = Watch::open(&service, &eve, of(&acme)).await.unwrap();
        let newest = rename(&service, &acme, "Another line").await;
        assert_eq!(watch.write().await.unwrap().consistency_token, newest);
    }
}
