import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { makeResponse } from '@tandem/sip/message/make.ts'
import type { SipMessage, SipRequest } from '@tandem/sip/message/message.ts'
import { writeMessage } from '@tandem/sip/message/write.ts'
import { type CallEdge, plan, startCallEdge, toTrunk } from './call-edge.ts'
import { isRequest, isResponse, type RawPeer, rawPeer } from './raw-peer.ts'

let house: CallEdge
let carrier: RawPeer
let port = 0

before(async () => {
  const probe = await rawPeer('UDP', { port: 9 })
  port = probe.port
  probe.close()
  house = await startCallEdge({
    trunks: {
      'itsp-b': { to: [`sip:127.0.0.1:${port}`], from: [`127.0.0.1:${port}`] },
      'itsp-a': { limits: { calls: 1 } },
    },
  })
  carrier = await rawPeer('UDP', { port: house.edge.port('carrier') }, { port })
})
after(async () => {
  carrier.close()
  await house.close()
})

const SDP = (session = 7, mediaPort = 40_000) =>
  [
    'v=0',
    `o=- ${session} 1 IN IP4 127.0.0.1`,
    's=-',
    'c=IN IP4 127.0.0.1',
    't=0 0',
    `m=audio ${mediaPort} RTP/AVP 0`,
    '',
  ].join('\r\n')

const inviteTo =
  (number: string) =>
  (m: SipMessage): m is SipRequest =>
    m.kind === 'request' && m.method === 'INVITE' && m.uri.includes(number)

function respond(
  invite: SipRequest,
  status: number,
  tag: string,
  sdp?: string,
  headers: [string, string][] = [],
): void {
  const response = makeResponse(invite, status, {
    toTag: tag,
    contact: `<sip:carrier@127.0.0.1:${port}>`,
    headers,
    ...(sdp === undefined ? {} : { body: sdp, contentType: 'application/sdp' }),
  })
  carrier.send(writeMessage(response))
}

const contains = (text: string) => (m: SipMessage) =>
  [...m.headers.entries()].some(([name, value]) => /^(to|t)$/i.test(name) && value.includes(text))

test('CANCEL and 200 cross: the late 200 is acknowledged and hung up', async () => {
  house.route(() => plan([toTrunk('itsp-b', '1001')]))
  const call = await house.alice.call('1001')
  call.answered.catch(() => {})
  const invite = await carrier.next(inviteTo('1001'))
  respond(invite, 180, 'one')
  await call.ringing
  const gone = call.hangUp()
  await carrier.next(isRequest('CANCEL'))
  respond(invite, 200, 'one', SDP())
  await carrier.next(isRequest('ACK'))
  const bye = await carrier.next(isRequest('BYE'))
  carrier.answer(bye, 200)
  assert.equal((await gone).why, 'cancelled')
  const records = await house.ended(2)
  assert.deepEqual(
    records.map((r) => r.sipStatus),
    [487, 487],
  )
})

test('two branches of a fork answer: the second one is acknowledged and hung up', async () => {
  house.route(() => plan([toTrunk('itsp-b', '1002')]))
  const call = await house.alice.call('1002')
  const invite = await carrier.next(inviteTo('1002'))
  respond(invite, 200, 'fork-a', SDP())
  await carrier.next((m) => isRequest('ACK')(m) && contains('fork-a')(m))
  await call.answered
  respond(invite, 200, 'fork-b', SDP(8))
  await carrier.next((m) => isRequest('ACK')(m) && contains('fork-b')(m))
  const bye = await carrier.next(isRequest('BYE'))
  assert.ok(contains('fork-b')(bye))
  carrier.answer(bye as SipRequest, 200)
  assert.equal(call.state, 'established')
  respond(invite, 200, 'fork-a', SDP())
  await carrier.next((m) => isRequest('ACK')(m) && contains('fork-a')(m))
  const hung = call.hangUp()
  carrier.answer(await carrier.next(isRequest('BYE')), 200)
  await hung
})

test('early media of one branch, the answer of another: the caller sees an answer that fits', async () => {
  house.route(() => plan([toTrunk('itsp-b', '1003')]))
  const call = await house.alice.call('1003')
  const invite = await carrier.next(inviteTo('1003'))
  respond(invite, 183, 'early', SDP(1, 40_002).replace('RTP/AVP 0', 'RTP/AVP 8 0'))
  await call.ringing
  respond(invite, 200, 'other', SDP(2, 40_004))
  await carrier.next(isRequest('ACK'))
  await call.answered
  const tags = call.responses
    .filter((r) => r.status > 100)
    .map((r) => /tag=([^;]+)/.exec(r.headers.get('to') ?? '')?.[1])
  assert.equal(tags.length, 2)
  assert.notEqual(tags[0], tags[1], 'another description comes under another tag')
  const hung = call.hangUp()
  carrier.answer(await carrier.next(isRequest('BYE')), 200)
  await hung
})

test('our own INVITE coming back is a loop: 482', async () => {
  house.route(() => plan([toTrunk('itsp-b', '1004')]))
  const call = await house.alice.call('1004')
  call.answered.catch(() => {})
  const invite = await carrier.next(inviteTo('1004'))
  respond(invite, 180, 'x')
  const { headers } = invite
  const back = { ...invite, headers: headers.clone() }
  back.headers.set('Via', `SIP/2.0/UDP 127.0.0.1:${port};branch=z9hG4bKback${Date.now()}`)
  carrier.send(writeMessage(back))
  const response = await carrier.next((m) => isResponse(m) && m.status >= 400)
  assert.equal((response as { status: number }).status, 482)
  await call.hangUp()
})

test('no hop is left: 483', async () => {
  house.route(() => plan([toTrunk('itsp-b', '1005')]))
  const call = await house.alice.call('1005')
  call.answered.catch(() => {})
  const invite = await carrier.next(inviteTo('1005'))
  const back = { ...invite, headers: invite.headers.clone() }
  back.headers.set('Via', `SIP/2.0/UDP 127.0.0.1:${port};branch=z9hG4bKhops${Date.now()}`)
  back.headers.set('Call-ID', 'another')
  back.headers.set('Max-Forwards', '0')
  carrier.send(writeMessage(back))
  const response = await carrier.next((m) => isResponse(m) && m.status >= 400)
  assert.equal((response as { status: number }).status, 483)
  await call.hangUp()
})

test('a session interval that is too small is told with 422 and Min-SE; one that is asked for is answered', async () => {
  house.route(() => plan([toTrunk('itsp-b', '1006')]))
  const small = await house.alice.call('1006', { headers: [['Session-Expires', '30']] })
  await assert.rejects(small.answered, /422/)
  assert.equal(small.responses.at(-1)?.headers.get('min-se'), '90')
  const call = await house.alice.call('1006', { headers: [['Session-Expires', '600;refresher=uac']] })
  const invite = await carrier.next(inviteTo('1006'))
  assert.match(invite.headers.get('session-expires') ?? '', /^1800/)
  // the carrier wants more: it is asked again with what it wants
  respond(invite, 422, 'x', undefined, [['Min-SE', '3600']])
  await carrier.next(isRequest('ACK'))
  const again = await carrier.next(inviteTo('1006'))
  assert.equal(again.headers.get('session-expires'), '3600')
  assert.equal(again.headers.get('min-se'), '3600')
  assert.equal(again.headers.get('call-id'), invite.headers.get('call-id'))
  respond(again, 200, 'y', SDP(), [
    ['Session-Expires', '3600;refresher=uas'],
    ['Require', 'timer'],
  ])
  await carrier.next(isRequest('ACK'))
  await call.answered
  assert.equal(call.responses.at(-1)?.headers.get('session-expires'), '600;refresher=uac')
  const hung = call.hangUp()
  carrier.answer(await carrier.next(isRequest('BYE')), 200)
  await hung
})

test('a trunk that is full is passed over; when all are full the call gets 503', async () => {
  house.route(() => plan([toTrunk('itsp-a', '1007')]))
  const first = await house.alice.call('1007')
  await first.answered
  house.route(() => plan([toTrunk('itsp-a', '1008'), toTrunk('itsp-b', '1008')]))
  const second = await house.bob.call('1008')
  second.answered.catch(() => {})
  respond(await carrier.next(inviteTo('1008')), 486, 'busy')
  await assert.rejects(second.answered, /486/)
  house.route(() => plan([toTrunk('itsp-a', '1009')]))
  const third = await house.bob.call('1009')
  await assert.rejects(third.answered, /503/)
  await first.hangUp()
  const fourth = await house.bob.call('1009')
  await fourth.answered
  await fourth.hangUp()
})

test('an answer without a description cannot become a call', async () => {
  house.route(() => plan([toTrunk('itsp-b', '1010')]))
  const call = await house.alice.call('1010')
  call.answered.catch(() => {})
  const invite = await carrier.next(inviteTo('1010'))
  respond(invite, 200, 'empty')
  await carrier.next(isRequest('ACK'))
  carrier.answer(await carrier.next(isRequest('BYE')), 200)
  await assert.rejects(call.answered, /502/)
})

test('the carrier hangs up while the ACK of the caller is still under way: BYE waits for it', async () => {
  house.route(() => plan([toTrunk('itsp-b', '1011')]))
  const call = await house.alice.call('1011')
  const invite = await carrier.next(inviteTo('1011'))
  respond(invite, 200, 'quick', SDP())
  const ack = (await carrier.next((m) => isRequest('ACK')(m) && contains('quick')(m))) as SipRequest
  const headers = ack.headers.clone()
  const from = headers.get('from') ?? ''
  headers.set('From', headers.get('to') ?? '')
  headers.set('To', from)
  headers.set('CSeq', '1 BYE')
  headers.set('Via', `SIP/2.0/UDP 127.0.0.1:${port};branch=z9hG4bKbye${Date.now()}`)
  headers.append('Reason', 'Q.850;cause=31;text="odd"')
  const contact = /<([^>]+)>/.exec(invite.headers.get('contact') ?? '')?.[1] ?? ''
  carrier.send(writeMessage({ kind: 'request', method: 'BYE', uri: contact, headers, body: new Uint8Array(0) }))
  const end = await call.ended
  assert.equal(end.by, 'peer')
  const records = await house.ended(2)
  assert.deepEqual(
    records.map((r) => [r.endedBy, r.q850]),
    [
      ['callee', 31],
      ['callee', 31],
    ],
  )
})

test('after all that nothing is left', async () => {
  const until = performance.now() + 15_000
  while (house.calls.status().legs > 0 && performance.now() < until) await new Promise((d) => setTimeout(d, 20))
  assert.deepEqual([house.calls.status().calls, house.calls.status().legs], [0, 0])
})
