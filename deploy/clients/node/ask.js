// Signs in to Chancery and asks whether whoever signed in may do something.
//
//   node ask.js ACTION RESOURCE_TYPE RESOURCE
//
// The environment says where and as whom: CHANCERY_ADDRESS, CHANCERY_ACCOUNT, CHANCERY_USER_NAME, CHANCERY_PASSWORD; and,
// where it is not two folders up, CHANCERY_PROTO where proto/ is.

const path = require('node:path');
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');
const protobuf = require('protobufjs');

const SECONDS = 10;
const PROTO = process.env.CHANCERY_PROTO ?? path.join(__dirname, '../../../proto');

const definition = loader.loadSync(['chancery/v1/session.proto', 'chancery/v1/authorization.proto'], {
  includeDirs: [PROTO],
  enums: String,
  longs: String,
  defaults: true,
});
const { SessionService, AuthorizationService } = grpc.loadPackageDefinition(definition).chancery.v1;

// A method as a function that answers or throws.
function method(client, name) {
  return (request, metadata = new grpc.Metadata()) =>
    new Promise((resolve, reject) => {
      const deadline = Date.now() + SECONDS * 1000;
      client[name](request, metadata, { deadline }, (error, reply) => (error ? reject(error) : resolve(reply)));
    });
}

async function ask(action, type, resource) {
  const { CHANCERY_ADDRESS: address, CHANCERY_ACCOUNT, CHANCERY_USER_NAME, CHANCERY_PASSWORD } = process.env;
  const sessions = new SessionService(address, grpc.credentials.createInsecure());
  const decisions = new AuthorizationService(address, grpc.credentials.createInsecure());
  try {
    const { session } = await method(sessions, 'CreateSession')({
      account: CHANCERY_ACCOUNT,
      userName: CHANCERY_USER_NAME,
      password: CHANCERY_PASSWORD,
    });
    const bearer = new grpc.Metadata();
    bearer.set('authorization', `Bearer ${session.accessToken}`);

    const answer = await method(decisions, 'Authorize')(
      { subject: { type: 'user', id: session.userId }, action: { name: action }, resource: { type, id: resource } },
      bearer,
    );
    console.log(answer.decision ? 'permitted' : 'denied', answer.reason);

    await method(sessions, 'RevokeSession')({ userId: session.userId, sessionId: session.sessionId }, bearer);
  } finally {
    sessions.close();
    decisions.close();
  }
}

// As much of google.rpc as it takes to read the details of an error.
const { root: rpc } = protobuf.parse(`syntax = "proto3";
  message Any { string type_url = 1; bytes value = 2; }
  message Status { int32 code = 1; string message = 2; repeated Any details = 3; }
  message ErrorInfo { string reason = 1; string domain = 2; }`);

// The stable word for what went wrong: the message may change, this does not.
function reason(error) {
  const [bytes] = error.metadata?.get('grpc-status-details-bin') ?? [];
  const { details } = rpc.lookupType('Status').decode(bytes ?? Buffer.alloc(0));
  const info = details.find((detail) => detail.typeUrl.endsWith('/google.rpc.ErrorInfo'));
  return info ? rpc.lookupType('ErrorInfo').decode(info.value).reason : '';
}

if (process.argv.length !== 5) {
  console.error('usage: ask.js ACTION RESOURCE_TYPE RESOURCE');
  process.exit(64);
}
ask(...process.argv.slice(2)).catch((error) => {
  console.error(`${grpc.status[error.code] ?? ''} ${reason(error)}: ${error.details ?? error}`);
  process.exitCode = 1;
});
