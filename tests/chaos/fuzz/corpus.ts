/** What the fuzz starts from: the torture messages of RFC 4475, and what phones and carriers send to an edge every day. */
import { readdirSync, readFileSync } from 'node:fs'

const torture = new URL('../../conformance/rfc4475/', import.meta.url)

export function corpus(): Buffer[] {
  const samples = ['valid', 'invalid'].flatMap((kind) =>
    readdirSync(new URL(kind, torture)).map((name) => readFileSync(new URL(`${kind}/${name}`, torture))),
  )
  return [...samples, ...ordinary().map((text) => Buffer.from(text))]
}

const sdp = [
  'v=0',
  'o=- 1 1 IN IP4 127.0.0.77',
  's=-',
  'c=IN IP4 127.0.0.77',
  't=0 0',
  'm=audio 40000 RTP/AVP 0 8 101',
  'a=rtpmap:0 PCMU/8000',
  'a=rtpmap:101 telephone-event/8000',
  'a=fmtp:101 0-15',
  'a=sendrecv',
  '',
].join('\r\n')

const pidf = `<?xml version="1.0"?><presence xmlns="urn:ietf:params:xml:ns:pidf" entity="pres:alice@acme.example"><tuple id="t"><status><basic>open</basic></status></tuple></presence>`

function ordinary(): string[] {
  const to = 'sip:+14255551001@127.0.0.1'
  return [
    message('INVITE', to, ['Contact: <sip:c@127.0.0.77:5060>', 'Content-Type: application/sdp'], sdp),
    message(
      'INVITE',
      to,
      ['Contact: <sip:c@127.0.0.77:5060>', 'Supported: 100rel, timer', 'Session-Expires: 1800'],
      '',
    ),
    message('INVITE', 'sip:911@127.0.0.1', ['Contact: <sip:c@127.0.0.77>', 'Content-Type: application/sdp'], sdp),
    message('INVITE', `${to};user=phone`, ['Contact: <sip:c@127.0.0.77>', 'Replaces: x;to-tag=a;from-tag=b'], sdp),
    message('BYE', to, [], '', ';tag=unknown'),
    message('CANCEL', to, [], ''),
    message('ACK', to, [], '', ';tag=unknown'),
    message('PRACK', to, ['RAck: 1 1 INVITE'], '', ';tag=unknown'),
    message('UPDATE', to, ['Contact: <sip:c@127.0.0.77>', 'Content-Type: application/sdp'], sdp, ';tag=unknown'),
    message(
      'REFER',
      to,
      ['Refer-To: <sip:bob@acme.example?Replaces=a%3Bto-tag%3Db>', 'Contact: <sip:c@127.0.0.77>'],
      '',
    ),
    message('OPTIONS', 'sip:127.0.0.1', ['Accept: application/sdp'], ''),
    message('REGISTER', 'sip:acme.example', ['Contact: <sip:alice@127.0.0.77>;expires=60;q=0.5'], ''),
    message('REGISTER', 'sip:acme.example', ['Contact: *', 'Expires: 0'], ''),
    message(
      'REGISTER',
      'sip:acme.example',
      [
        'Contact: <sip:alice@127.0.0.77;ob>;reg-id=1;+sip.instance="<urn:uuid:00000000-0000-1000-8000-000A95A0E128>"',
        'Supported: path, outbound, gruu',
        'Authorization: Digest username="alice", realm="acme.example", nonce="x", uri="sip:acme.example", response="0", nc=00000001, cnonce="y", qop=auth, algorithm=SHA-256',
      ],
      '',
    ),
    message(
      'SUBSCRIBE',
      'sip:alice@acme.example',
      ['Event: presence', 'Expires: 60', 'Contact: <sip:c@127.0.0.77>'],
      '',
    ),
    message(
      'NOTIFY',
      to,
      ['Event: refer', 'Subscription-State: active', 'Content-Type: message/sipfrag'],
      'SIP/2.0 200 OK\r\n',
    ),
    message('PUBLISH', 'sip:alice@acme.example', ['Event: presence', 'Content-Type: application/pidf+xml'], pidf),
    message('MESSAGE', 'sip:alice@acme.example', ['Content-Type: text/plain'], 'hello'),
    message('INFO', to, ['Content-Type: application/dtmf-relay'], 'Signal=1\r\nDuration=100\r\n', ';tag=unknown'),
    response(100, 'Trying', 'INVITE'),
    response(183, 'Session Progress', 'INVITE', sdp),
    response(200, 'OK', 'INVITE', sdp),
    response(401, 'Unauthorized', 'REGISTER'),
    response(302, 'Moved Temporarily', 'INVITE'),
    response(503, 'Service Unavailable', 'OPTIONS'),
  ]
}

function head(method: string, toTag: string): string[] {
  return [
    'Via: SIP/2.0/UDP 127.0.0.77:5060;branch=z9hG4bKfuzz;rport',
    'Max-Forwards: 70',
    'From: "Fuzz" <sip:+12065550100@127.0.0.77>;tag=f1',
    `To: <sip:+14255551001@127.0.0.1>${toTag}`,
    'Call-ID: fuzz@127.0.0.77',
    `CSeq: 1 ${method}`,
  ]
}

function message(method: string, uri: string, more: string[], body: string, toTag = ''): string {
  return [`${method} ${uri} SIP/2.0`, ...head(method, toTag), ...more, `Content-Length: ${body.length}`, '', body].join(
    '\r\n',
  )
}

function response(status: number, reason: string, method: string, body = ''): string {
  const type = body === '' ? [] : ['Content-Type: application/sdp']
  const contact = ['Contact: <sip:x@127.0.0.77>']
  return [
    `SIP/2.0 ${status} ${reason}`,
    ...head(method, ';tag=t1'),
    ...type,
    ...contact,
    `Content-Length: ${body.length}`,
    '',
    body,
  ].join('\r\n')
}
