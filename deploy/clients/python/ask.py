"""Signs in to Chancery and asks whether whoever signed in may do something.

    ask.py ACTION RESOURCE_TYPE RESOURCE

The environment says where and as whom: CHANCERY_ADDRESS, CHANCERY_ACCOUNT, CHANCERY_USER_NAME, CHANCERY_PASSWORD.
"""

import os
import sys

import grpc
from chancery.v1 import authorization_pb2, authorization_pb2_grpc, session_pb2, session_pb2_grpc
from google.rpc import error_details_pb2, status_pb2

SECONDS = 10


def reason(error: grpc.RpcError) -> str:
    """The stable word for what went wrong: the message may change, this does not."""
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            info = error_details_pb2.ErrorInfo()
            for detail in status_pb2.Status.FromString(value).details:
                if detail.Unpack(info):
                    return info.reason
    return ""


def ask(channel: grpc.Channel, action: str, kind: str, resource: str) -> None:
    sessions = session_pb2_grpc.SessionServiceStub(channel)
    session = sessions.CreateSession(
        session_pb2.CreateSessionRequest(
            account=os.environ["CHANCERY_ACCOUNT"],
            user_name=os.environ["CHANCERY_USER_NAME"],
            password=os.environ["CHANCERY_PASSWORD"],
        ),
        timeout=SECONDS,
    ).session
    bearer = [("authorization", f"Bearer {session.access_token}")]

    question = authorization_pb2.AuthorizeRequest()
    question.subject.type, question.subject.id = "user", session.user_id
    question.action.name = action
    question.resource.type, question.resource.id = kind, resource
    answer = authorization_pb2_grpc.AuthorizationServiceStub(channel).Authorize(
        question, timeout=SECONDS, metadata=bearer
    )
    word = "permitted" if answer.decision else "denied"
    print(word, authorization_pb2.Reason.Name(answer.reason))

    sessions.RevokeSession(
        session_pb2.RevokeSessionRequest(user_id=session.user_id, session_id=session.session_id),
        timeout=SECONDS,
        metadata=bearer,
    )


def main() -> int:
    if len(sys.argv) != 4:
        print("usage: ask.py ACTION RESOURCE_TYPE RESOURCE", file=sys.stderr)
        return 64
    with grpc.insecure_channel(os.environ["CHANCERY_ADDRESS"]) as channel:
        try:
            ask(channel, *sys.argv[1:])
        except grpc.RpcError as error:
            print(f"{error.code().name} {reason(error)}: {error.details()}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
