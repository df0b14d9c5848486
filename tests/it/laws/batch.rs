//! A batch answers what its questions would be answered one by one.

use chancery::proto::v1 as pb;

use crate::support::{Service, ask, engines};

#[tokio::test]
async fn a_batch_answers_as_its_questions_do_one_by_one() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let below = service.account(&acme, "Below").await;
        let mut people = vec![service.root.user_id.clone()];
        for (name, role) in [("ann", "SUPER_USER"), ("bob", "MANAGE_USERS"), ("cid", "NO_ACCESS")] {
            people.push(service.person(&acme, name, &[role]).await.user_id);
        }
        let mut singles = Vec::new();
        for user in &people {
            for (action, kind, tail) in [
                ("read", "account", ""),
                ("suspend", "account", ""),
                ("read", "gate", "/gate_group/5/gate/17"),
                ("create", "gate", "/gate_group/5/gate/-"),
                ("read", "user", "/user/-"),
                ("raed", "account", ""),
                ("read", "gate", "/gate/17"),
            ] {
                for account in [&acme, &below] {
                    singles.push(ask(user, action, kind, &format!("account/{account}{tail}")));
                }
            }
        }
        let questions = singles.iter().cloned().map(|one| pb::EvaluationRequest {
            subject: one.subject,
            action: one.action,
            resource: one.resource,
            context: one.context,
        });
        let batch =
            pb::BatchAuthorizeRequest { evaluations: questions.collect(), ..Default::default() };
        let mut client = service.authorization(&service.root);
        let answers = client.batch_authorize(batch).await.unwrap().into_inner().evaluations;
        assert_eq!(answers.len(), singles.len());
        for (one, answer) in singles.into_iter().zip(answers) {
            let alone = client.authorize(one.clone()).await.map(tonic::Response::into_inner);
            match alone {
                Ok(alone) => assert_eq!(
                    (alone.decision, alone.reason, alone.missing),
                    (answer.decision, answer.reason, answer.missing),
                    "{one:?}"
                ),
                Err(_) => assert!(!answer.decision && answer.context.is_some(), "{one:?}"),
            }
        }
    }
}
