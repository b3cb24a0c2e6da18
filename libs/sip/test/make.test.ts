import assert from 'node:assert/strict'
import test from 'node:test'
import { MAX_FIELD_BYTES, MAX_FIELDS, MAX_HEAD_BYTES } from '../src/message/head.ts'
import { headerList } from '../src/message/header-list.ts'
import { makeAck, makeCancel, makeRequest, makeResponse, withReceived } from '../src/message/make.ts'
import type { SipRequest } from '../src/message/message.ts'
import { MAX_BODY_BYTES, parseDatagram, parseStream } from '../src/message/parse.ts'
import { contacts, from, fromTag, nameAddrs, splitCommas, to, topVia, toTag, vias } from '../src/message/read.ts'
import { parseUri, sameUri, unescapeUser, writeNameAddr } from '../src/message/uri.ts'
import { writeMessage } from '../src/message/write.ts'

const INVITE = [
  'INVITE sip:bob@biloxi.example SIP/2.0',
  'v: SIP/2.0/UDP pc33.atlanta.example:5066;branch=z9hG4bK776;rport;received=6.6.6.6 , SIP/2.0/TCP second.example;branch=z9hG4bKa',
  'Via: SIP/2.0/UDP third.example;branch=z9hG4bKb',
  'Record-Route: <sip:p2.example;lr>',
  'Record-Route: <sip:p1.example;lr>',
  'Route: <sip:r1.example;lr>, <sip:r2.example;lr>',
  'Max-Forwards: 70',
  't: Bob <sip:bob@biloxi.example>',
  'f: "Alice; tag=no" <sip:alice@atlanta.example>;tag=1928301774',
  'i: a84b4c76e66710@pc33.atlanta.example',
  'CSeq: 00314159 INVITE',
  'Timestamp: 54',
  'm: <sip:alice@pc33.atlanta.example>',
  'l: 0',
  '',
  '',
].join('\r\n')

function invite(text = INVITE): SipRequest {
  const outcome = parseDatagram(Buffer.from(text))
  assert(outcome.kind === 'message' && outcome.message.kind === 'request')
  return outcome.message
}

test('RFC 3261 8.2.6: a response copies every Via, From, Call-ID and CSeq, and gives To its tag', () => {
  const answer = makeResponse(invite(), 180, { toTag: 'a6c85cf', contact: '<sip:bob@192.0.2.4>', recordRoute: true })
  assert.equal(
    writeMessage(answer).toString(),
    [
      'SIP/2.0 180 Ringing',
      'Via: SIP/2.0/UDP pc33.atlanta.example:5066;branch=z9hG4bK776;rport;received=6.6.6.6 , SIP/2.0/TCP second.example;branch=z9hG4bKa',
      'Via: SIP/2.0/UDP third.example;branch=z9hG4bKb',
      'Record-Route: <sip:p2.example;lr>',
      'Record-Route: <sip:p1.example;lr>',
      'From: "Alice; tag=no" <sip:alice@atlanta.example>;tag=1928301774',
      'To: Bob <sip:bob@biloxi.example>;tag=a6c85cf',
      'Call-ID: a84b4c76e66710@pc33.atlanta.example',
      'CSeq: 00314159 INVITE',
      'Contact: <sip:bob@192.0.2.4>',
      'Content-Length: 0',
      '',
      '',
    ].join('\r\n'),
  )
})

test('RFC 3261 8.2.6.1: a 100 copies Timestamp and needs no tag; 8.2.6.2: a tag that is there stays', () => {
  const trying = makeResponse(invite(), 100)
  assert.equal(trying.headers.get('timestamp'), '54')
  assert.equal(toTag(trying), undefined)
  const within = invite(INVITE.replace('biloxi.example>', 'biloxi.example>;tag=first'))
  assert.equal(toTag(makeResponse(within, 200, { toTag: 'second' })), 'first')
  assert.equal(makeResponse(invite(), 599).reason, 'Server Internal Error')
})

test('RFC 3261 17.1.1.3: the ACK of a non-2xx has one Via, the To of the response and the Route of the INVITE', () => {
  const request = invite()
  const ack = makeAck(request, makeResponse(request, 486, { toTag: 'busy' }))
  assert.deepEqual(
    [...ack.headers.entries()],
    [
      ['Via', 'SIP/2.0/UDP pc33.atlanta.example:5066;branch=z9hG4bK776;rport;received=6.6.6.6 '],
      ['Max-Forwards', '70'],
      ['Route', '<sip:r1.example;lr>, <sip:r2.example;lr>'],
      ['From', '"Alice; tag=no" <sip:alice@atlanta.example>;tag=1928301774'],
      ['To', 'Bob <sip:bob@biloxi.example>;tag=busy'],
      ['Call-ID', 'a84b4c76e66710@pc33.atlanta.example'],
      ['CSeq', '314159 ACK'],
      ['Content-Length', '0'],
    ].map(([name, value]) => [name, value?.trim()]),
  )
  assert.equal(ack.uri, request.uri)
})

test('RFC 3261 9.1: a CANCEL is the INVITE but for its method', () => {
  const cancel = makeCancel(invite())
  assert.equal(cancel.method, 'CANCEL')
  assert.equal(cancel.headers.get('cseq'), '314159 CANCEL')
  assert.equal(vias(cancel).length, 1)
  assert.equal(topVia(cancel)?.params.get('branch'), 'z9hG4bK776')
  assert.equal(toTag(cancel), undefined)
})

test('RFC 3581 4: rport and received say where the request came from, and what the sender claimed is not believed', () => {
  const request = withReceived(invite(), '192.0.2.99', 40_000)
  assert.equal(
    request.headers.get('via'),
    'SIP/2.0/UDP pc33.atlanta.example:5066;branch=z9hG4bK776;rport=40000;received=192.0.2.99, SIP/2.0/TCP second.example;branch=z9hG4bKa',
  )
  assert.equal(vias(request).length, 3)
  assert.equal(topVia(request)?.params.get('received'), '192.0.2.99')
})

test('RFC 3261 18.2.1: without rport, received is added only where sent-by is not the source', () => {
  const via = (value: string, address: string): string | undefined => {
    const request = invite(INVITE.replace(/^v: .*$/m, `v: ${value}`))
    return withReceived(request, address, 5060).headers.get('via')
  }
  assert.equal(via('SIP/2.0/UDP 192.0.2.7;branch=z9hG4bKa', '192.0.2.7'), 'SIP/2.0/UDP 192.0.2.7;branch=z9hG4bKa')
  assert.equal(
    via('SIP/2.0/UDP 192.0.2.7;branch=z9hG4bKa', '192.0.2.8'),
    'SIP/2.0/UDP 192.0.2.7;branch=z9hG4bKa;received=192.0.2.8',
  )
  assert.equal(
    via('SIP/2.0/TCP [2001:DB8::1]:5060;branch=z9hG4bKa', '2001:db8::1'),
    'SIP/2.0/TCP [2001:DB8::1]:5060;branch=z9hG4bKa',
  )
  assert.equal(via('SIP/2.0/UDP 192.0.2.7;received=1.1.1.1', '192.0.2.7'), 'SIP/2.0/UDP 192.0.2.7')
})

test('a request is made with its fields in order and its length counted in bytes', () => {
  const request = makeRequest({
    method: 'MESSAGE',
    uri: 'sip:bob@biloxi.example',
    via: 'SIP/2.0/UDP h;branch=z9hG4bK1',
    from: '<sip:a@b>;tag=1',
    to: '<sip:c@d>',
    callId: 'x',
    cseq: 7,
    route: ['<sip:r;lr>'],
    headers: [['Subject', 'Grüße\r\nX-Injected: yes']],
    body: 'Grüße',
    contentType: 'text/plain',
  })
  assert.equal(
    writeMessage(request).toString(),
    'MESSAGE sip:bob@biloxi.example SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nMax-Forwards: 70\r\nRoute: <sip:r;lr>\r\n' +
      'From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: x\r\nCSeq: 7 MESSAGE\r\nSubject: Grüße X-Injected: yes\r\n' +
      'Content-Type: text/plain\r\nContent-Length: 7\r\n\r\nGrüße',
  )
})

test('no field, reason or URI of ours can begin another line', () => {
  const list = headerList([['A', 'x\r\nB: y']])
  list.set('C', '\nD: z')
  list.prepend('E', 'x\rF: y')
  for (const [, value] of list.entries()) assert(!/[\r\n]/.test(value))
  const bytes = writeMessage({
    kind: 'response',
    status: 200,
    reason: 'OK\r\nX: y',
    headers: headerList(),
    body: new Uint8Array(0),
  })
  assert.equal(bytes.toString(), 'SIP/2.0 200 OK X: y\r\nContent-Length: 0\r\n\r\n')
})

test('what is set anew is read anew', () => {
  const request = invite()
  assert.equal(from(request)?.displayName, 'Alice; tag=no')
  assert.equal(fromTag(request), '1928301774')
  request.headers.set('From', '<sip:anonymous@anonymous.invalid>;tag=2')
  request.headers.set('Contact', '<sip:gw@192.0.2.1>')
  request.headers.set('To', 'sip:x@y')
  request.headers.prepend('Via', 'SIP/2.0/TLS edge.example;branch=z9hG4bKnew')
  assert.equal(fromTag(request), '2')
  assert.equal(to(request)?.uriText, 'sip:x@y')
  assert.equal(topVia(request)?.transport, 'TLS')
  const contact = contacts(request)
  assert(contact !== '*')
  assert.equal(contact[0]?.uri.host, '192.0.2.1')
})

test('lists are split at commas outside quotes and angle brackets', () => {
  assert.deepEqual(splitCommas('a, "b, \\" c" <sip:x,y@z>;p="1,2" ,, <sip:d,e@f>'), [
    'a',
    '"b, \\" c" <sip:x,y@z>;p="1,2"',
    '<sip:d,e@f>',
  ])
  const request = invite()
  request.headers.append('P-Asserted-Identity', '"A, B" <sip:+1@x>, <tel:+1>')
  assert.deepEqual(
    nameAddrs(request, 'P-Asserted-Identity').map((id) => id.uriText),
    ['sip:+1@x', 'tel:+1'],
  )
})

test('RFC 3261 19.1.4: its own examples of equal and unequal URIs', () => {
  const same = (a: string, b: string): boolean => {
    const x = parseUri(a)
    const y = parseUri(b)
    assert(x && y)
    return sameUri(x, y)
  }
  assert(same('sip:%61lice@atlanta.com;transport=TCP', 'sip:alice@AtLanTa.CoM;Transport=tcp'))
  assert(same('sip:carol@chicago.com', 'sip:carol@chicago.com;newparam=5'))
  assert(same('sip:carol@chicago.com;security=on', 'sip:carol@chicago.com;newparam=5'))
  assert(
    same(
      'sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com',
      'sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com',
    ),
  )
  assert(
    same(
      'sip:alice@atlanta.com?subject=project%20x&priority=urgent',
      'sip:alice@atlanta.com?priority=urgent&subject=project%20x',
    ),
  )
  assert(!same('SIP:ALICE@AtLanTa.CoM;Transport=udp', 'sip:alice@AtLanTa.CoM;Transport=UDP'))
  assert(!same('sip:bob@biloxi.com', 'sip:bob@biloxi.com:5060'))
  assert(!same('sip:bob@biloxi.com', 'sip:bob@biloxi.com;transport=udp'))
  assert(!same('sip:bob@biloxi.com', 'sip:bob@biloxi.com:6000;transport=tcp'))
  assert(!same('sip:carol@chicago.com', 'sip:carol@chicago.com?Subject=next%20meeting'))
  assert(!same('sip:carol@chicago.com;security=on', 'sip:carol@chicago.com;security=off'))
  assert(!same('sip:bob@biloxi.com', 'sips:bob@biloxi.com'))
})

test('RFC 3966: a tel URI has its number as user', () => {
  const uri = parseUri('tel:7042;phone-context=example.com')
  assert.equal(uri?.user, '7042')
  assert.equal(uri?.params.get('phone-context'), 'example.com')
  assert.equal(parseUri('tel:+1-201-555-0123')?.user, '+1-201-555-0123')
  assert.equal(parseUri('tel:alice'), undefined)
  assert.equal(writeNameAddr({ uri: 'tel:+12015550123', displayName: 'A "B"' }), '"A \\"B\\"" <tel:+12015550123>')
  assert.equal(unescapeUser('%2B1%2'), '+1%2')
})

const HEAD = INVITE.slice(0, -2)

test('a datagram beyond the limits is refused, not kept', () => {
  const refused = (text: string): string => {
    const outcome = parseDatagram(Buffer.from(text))
    assert(outcome.kind === 'refuse')
    assert.equal(outcome.status, 400)
    return outcome.reason
  }
  assert.match(refused(`${HEAD}${'X: y\r\n'.repeat(MAX_FIELDS)}\r\n`), /Too many/)
  assert.match(refused(`${HEAD}X: ${'y'.repeat(MAX_FIELD_BYTES)}\r\n\r\n`), /too long/)
  assert.match(refused(`${HEAD}X: y`), /empty line/)
  assert.match(refused(`${HEAD}X: a\nY: b\r\n\r\n`), /Bare/)
  assert.match(refused(`${HEAD}X: a\rY: b\r\n\r\n`), /Bare/)
  assert.match(refused(`${HEAD}X y\r\n\r\n`), /Malformed header field/)
  assert.match(refused(`${HEAD}X y: z\r\n\r\n`), /Malformed header field/)
})

test('a stream is closed when its head or body is too large, and waits otherwise', () => {
  assert.equal(parseStream(Buffer.from(HEAD)).kind, 'more')
  assert.equal(parseStream(Buffer.from(HEAD + 'X: y\r\n'.repeat(MAX_HEAD_BYTES / 6))).kind, 'close')
  const large = parseStream(Buffer.from(INVITE.replace('l: 0', `l: ${MAX_BODY_BYTES + 1}`)))
  assert(large.kind === 'close')
  assert.equal(large.refusal?.status, 413)
  assert.equal(parseStream(Buffer.from(INVITE.replace('l: 0', `l: ${MAX_BODY_BYTES}`))).kind, 'more')
  const unframed = parseStream(Buffer.from(INVITE.replace('l: 0\r\n', '')))
  assert(unframed.kind === 'close')
  assert.equal(unframed.refusal?.status, 400)
  // Where lines end is in doubt, so is where the next message begins.
  assert.equal(parseStream(Buffer.from(INVITE.replace('l: 0', 'X: a\nl: 0'))).kind, 'close')
  assert.equal(parseStream(Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n')).kind, 'close')
})

test('RFC 5626 4.4.1: a double CRLF is a ping, a single one its answer', () => {
  assert.deepEqual(parseStream(Buffer.from('\r\n\r\nINVITE')), { kind: 'keep-alive', ping: true, length: 4 })
  assert.deepEqual(parseStream(Buffer.from('\r\nINVITE')), { kind: 'keep-alive', ping: false, length: 2 })
  assert.deepEqual(parseDatagram(Buffer.from('\r\n\r\n')), { kind: 'keep-alive', ping: true, length: 4 })
  assert.equal(parseStream(Buffer.from('\r')).kind, 'more')
  assert.equal(parseStream(Buffer.from('\r\n\r')).kind, 'more')
  assert.equal(parseStream(Buffer.alloc(0)).kind, 'more')
  assert.equal(parseDatagram(Buffer.from('\0\0\0\0')).kind, 'drop')
})

test('an ACK is never answered, however wrong it is', () => {
  const ack = INVITE.replace('INVITE sip:', 'ACK sip:')
  assert.equal(parseDatagram(Buffer.from(ack)).kind, 'drop')
  assert.equal(parseDatagram(Buffer.from(ack.replace('314159 INVITE', '314159 ACK'))).kind, 'message')
})
