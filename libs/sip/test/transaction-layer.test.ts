import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ackInDialog, type Dialog, dialogOfUac, dialogOfUas } from '../src/dialog/dialog.ts'
import { makeCancel, makeResponse } from '../src/message/make.ts'
import type { SipRequest, SipResponse } from '../src/message/message.ts'
import { topVia, toTag } from '../src/message/read.ts'
import type { ServerTransaction } from '../src/transaction/server-transaction.ts'
import { edgePair, listener, request } from './edge-pair.ts'

const OK = { contact: '<sip:bob@callee.example:5060>' }

test('a call goes through two layers: INVITE, 180, 200, ACK', () => {
  const { caller, callee, time } = edgePair()
  const heard = listener()
  const invite = request()
  let dialog: Dialog | undefined
  const call = caller.layer.request(invite, caller.wire, {
    ...heard,
    onResponse(response) {
      heard.onResponse(response)
      if (response.status !== 200) return
      dialog = dialogOfUac(invite, response)
      assert.ok(dialog)
      call.ack(ackInDialog(dialog, invite))
    },
  })
  const [incoming] = callee.requests
  assert.ok(incoming)
  incoming.reply(180)
  const ok = incoming.reply(200, OK)
  assert.deepEqual(heard.heard, ['180', '200'])
  assert.equal(callee.acks.length, 1)
  assert.equal(dialogOfUas(incoming.request, ok)?.remoteTag, dialog?.localTag)
  time.advance(40_000)
  assert.deepEqual([caller.layer.clientCount, callee.layer.serverCount, time.waiting], [0, 0, 0])
})

test('RFC 3261 8.1.1.7 every request gets a Via with a branch of its own, made by the layer', () => {
  const { caller } = edgePair()
  const first = request('OPTIONS')
  const second = request('OPTIONS')
  caller.layer.request(first, caller.wire, listener())
  caller.layer.request(second, caller.wire, listener())
  assert.match(first.headers.get('via') ?? '', /^SIP\/2\.0\/UDP caller\.example:5060;branch=z9hG4bK\S+;rport$/)
  assert.notEqual(topVia(first)?.params.get('branch'), topVia(second)?.params.get('branch'))
})

test('RFC 3261 17.2.1 a 100 is sent after 200 ms when nobody answers, without To tag', () => {
  const { caller, callee, time } = edgePair()
  const tags: (string | undefined)[] = []
  const heard = listener()
  caller.layer.request(request(), caller.wire, {
    ...heard,
    onResponse(response) {
      heard.onResponse(response)
      tags.push(toTag(response))
    },
  })
  time.advance(3000)
  assert.deepEqual(callee.sent, ['200 100'])
  assert.deepEqual(caller.sent, ['0 INVITE'])
  assert.deepEqual(tags, [undefined])
})

test('RFC 3261 17.2.3 a retransmitted request is answered by its transaction and not handed out twice', () => {
  const { caller, callee, time } = edgePair({ onRequest: (transaction) => transaction.reply(200) })
  callee.lose = 1
  const heard = listener()
  caller.layer.request(request('OPTIONS'), caller.wire, heard)
  time.advance(600)
  assert.deepEqual(caller.sent, ['0 OPTIONS', '500 OPTIONS'])
  assert.equal(callee.requests.length, 1)
  assert.deepEqual(heard.heard, ['200'])
  assert.equal(callee.layer.counters.retransmissionsReceived, 1)
})

test('RFC 3261 17.2.3 the same branch with another sent-by or method is another transaction', () => {
  const { callee } = edgePair()
  const via = (sentBy: string) => `SIP/2.0/UDP ${sentBy};branch=z9hG4bKsame`
  callee.layer.receiveRequest(request('OPTIONS', { via: via('one.example') }), callee.wire)
  callee.layer.receiveRequest(request('OPTIONS', { via: via('two.example') }), callee.wire)
  callee.layer.receiveRequest(request('OPTIONS', { via: via('one.example:5061') }), callee.wire)
  callee.layer.receiveRequest(request('MESSAGE', { via: via('one.example') }), callee.wire)
  callee.layer.receiveRequest(request('OPTIONS', { via: via('ONE.example') }), callee.wire)
  assert.equal(callee.requests.length, 4)
})

test('RFC 3261 17.2.3 RFC 2543 clients are matched by Request-URI, tags, Call-ID, CSeq and Via', () => {
  const { callee } = edgePair()
  const old = (change = {}) =>
    request('INVITE', { via: 'SIP/2.0/UDP old.example;branch=1', callId: 'old-1', ...change })
  callee.layer.receiveRequest(old(), callee.wire)
  callee.layer.receiveRequest(old(), callee.wire)
  assert.equal(callee.requests.length, 1)
  for (const change of [
    { uri: 'sip:carol@callee.example' },
    { callId: 'old-2' },
    { cseq: 2 },
    { to: '<sip:bob@callee.example>;tag=b9' },
    { from: '<sip:alice@caller.example>;tag=a2' },
    { via: 'SIP/2.0/UDP other.example;branch=1' },
  ]) {
    // a changed Request-URI or Via alone is the same request by another path: it is refused as merged (8.2.2.2)
    callee.layer.receiveRequest(old(change), callee.wire)
  }
  assert.equal(callee.requests.length, 5)
  assert.equal(callee.layer.counters.mergedRequests, 2)
})

test('RFC 3261 17.2.3 the ACK of an RFC 2543 client matches by the To tag of our response', () => {
  const { callee, time } = edgePair()
  const via = 'SIP/2.0/UDP old.example'
  const invite = request('INVITE', { via })
  callee.layer.receiveRequest(invite, callee.wire)
  const busy = callee.requests[0]?.reply(486)
  assert.ok(busy)
  const ack = (to: string) => request('ACK', { via, to, callId: invite.headers.get('call-id') as string })
  callee.layer.receiveRequest(ack('<sip:bob@callee.example>;tag=other'), callee.wire)
  assert.equal(callee.acks.length, 1)
  time.advance(600)
  assert.equal(callee.sent.length, 2)
  callee.layer.receiveRequest(ack(busy.headers.get('to') as string), callee.wire)
  time.advance(60_000)
  assert.equal(callee.acks.length, 1)
  assert.equal(callee.sent.length, 2)
  assert.equal(callee.layer.serverCount, 0)
})

test('RFC 3261 17.1.1.3 a 486 is acknowledged hop by hop and the ACK does not reach the user', () => {
  const { caller, callee, time } = edgePair({ onRequest: (transaction) => transaction.reply(486) })
  const heard = listener()
  caller.layer.request(request(), caller.wire, heard)
  assert.deepEqual(caller.sent, ['0 INVITE', '0 ACK'])
  assert.deepEqual(heard.heard, ['486'])
  assert.equal(callee.acks.length, 0)
  time.advance(6000)
  assert.equal(callee.layer.serverCount, 0)
})

test('RFC 3261 17.1.1.2 a lost ACK to a 486 is sent again when the 486 comes again', () => {
  const { caller, time } = edgePair({
    onRequest(transaction) {
      caller.lose = 1
      transaction.reply(486)
    },
  })
  caller.layer.request(request(), caller.wire, listener())
  time.advance(2000)
  assert.deepEqual(caller.sent, ['0 INVITE', '0 ACK', '500 ACK'])
})

test('RFC 3261 9.1 and 9.2 CANCEL: 200 for itself, 487 for the INVITE, one To tag', () => {
  const { caller, callee } = edgePair()
  const heard = listener()
  const call = caller.layer.request(request(), caller.wire, heard)
  call.cancel([['Reason', 'SIP;cause=200;text="Call completed elsewhere"']])
  assert.deepEqual(caller.sent, ['0 INVITE'])
  const [incoming] = callee.requests
  assert.ok(incoming)
  let reason: string | undefined
  incoming.onCancel = (cancel) => {
    reason = cancel.headers.get('reason')
  }
  incoming.reply(180)
  assert.deepEqual(caller.sent, ['0 INVITE', '0 CANCEL', '0 ACK'])
  assert.deepEqual(callee.sent, ['0 180', '0 200', '0 487'])
  assert.equal(reason, 'SIP;cause=200;text="Call completed elsewhere"')
  assert.deepEqual(heard.heard, ['180', '487'])
})

test('RFC 3261 9.2 a CANCEL that matches nothing gets 481', () => {
  const { caller, callee } = edgePair()
  const invite = request('INVITE', { via: 'SIP/2.0/UDP caller.example;branch=z9hG4bKnone' })
  callee.layer.receiveRequest(makeCancel(invite), callee.wire)
  assert.deepEqual(callee.sent, ['0 481'])
  assert.equal(caller.layer.counters.strayResponses, 1)
})

test('RFC 3261 9.2 a CANCEL after the final response, or of another method, is answered 200 and changes nothing', () => {
  const { caller, callee } = edgePair()
  const invite = request()
  caller.layer.request(invite, caller.wire, listener())
  const [incoming] = callee.requests as [ServerTransaction]
  incoming.onCancel = () => assert.fail('too late')
  incoming.reply(200, OK)
  callee.layer.receiveRequest(makeCancel(invite), callee.wire)
  const options = request('OPTIONS')
  caller.layer.request(options, caller.wire, listener())
  callee.layer.receiveRequest(makeCancel(options), callee.wire)
  assert.deepEqual(callee.sent, ['0 200', '0 200', '0 200'])
  assert.equal(callee.requests[1]?.answered, false)
})

test('RFC 3261 8.2.2.2 the same request by another path is refused with 482', () => {
  const { callee } = edgePair()
  const via = (branch: string) => ({ via: `SIP/2.0/UDP proxy.example;branch=z9hG4bK${branch}`, callId: 'forked' })
  callee.layer.receiveRequest(request('INVITE', via('a')), callee.wire)
  callee.layer.receiveRequest(request('INVITE', via('b')), callee.wire)
  assert.deepEqual(callee.sent, ['0 482'])
  assert.equal(callee.requests.length, 1)
  // within a dialog two requests may look alike
  const inDialog = { to: '<sip:bob@callee.example>;tag=b1' }
  callee.layer.receiveRequest(request('INVITE', { ...via('c'), ...inDialog }), callee.wire)
  callee.layer.receiveRequest(request('INVITE', { ...via('d'), ...inDialog }), callee.wire)
  assert.equal(callee.requests.length, 3)
})

test('RFC 3261 13.3.1.4 the 2xx is repeated until its ACK, over a reliable transport too', () => {
  for (const reliable of [false, true]) {
    const { caller, callee, time } = edgePair({ reliable })
    caller.layer.request(request(), caller.wire, listener())
    const [incoming] = callee.requests as [ServerTransaction]
    const ok = makeResponse(incoming.request, 200, { toTag: incoming.toTag, ...OK })
    const retransmission = callee.layer.accept(incoming, ok, () => assert.fail('the ACK came'))
    time.advance(12_000)
    assert.deepEqual(callee.sent, ['0 200', '500 200', '1500 200', '3500 200', '7500 200', '11500 200'])
    retransmission.stop()
    assert.equal(retransmission.waiting, false)
    time.advance(60_000)
    assert.equal(callee.sent.length, 6)
    assert.equal(time.waiting, 0)
  }
})

test('RFC 3261 13.3.1.4 without an ACK the 2xx is given up after 64*T1', () => {
  const { caller, callee, time } = edgePair()
  caller.layer.request(request(), caller.wire, listener())
  const [incoming] = callee.requests as [ServerTransaction]
  let gaveUp = -1
  const ok = makeResponse(incoming.request, 200, { toTag: incoming.toTag, ...OK })
  callee.layer.accept(incoming, ok, () => {
    gaveUp = time.now()
  })
  time.advance(40_000)
  assert.equal(gaveUp, 32_000)
})

test('RFC 3261 13.2.2.4 a repeated 2xx is acknowledged again without asking the user', () => {
  const { caller, callee, time } = edgePair()
  const invite = request()
  const heard = listener()
  const call = caller.layer.request(invite, caller.wire, {
    ...heard,
    onResponse(response) {
      heard.onResponse(response)
      caller.lose = 1
      call.ack(ackInDialog(dialogOfUac(invite, response) as Dialog, invite))
    },
  })
  const [incoming] = callee.requests as [ServerTransaction]
  callee.layer.accept(incoming, makeResponse(incoming.request, 200, { toTag: incoming.toTag, ...OK }), () => undefined)
  time.advance(600)
  assert.deepEqual(caller.sent, ['0 INVITE', '0 ACK', '500 ACK'])
  assert.deepEqual(heard.heard, ['200'])
  assert.equal(callee.acks.length, 1)
  const [ack] = callee.acks as [SipRequest]
  // RFC 3261 17: the ACK of a 2xx is not part of the INVITE transaction and has a branch of its own
  assert.notEqual(topVia(ack)?.params.get('branch'), topVia(invite)?.params.get('branch'))
})

test('RFC 6026 7.2 the 2xx of every branch of a fork reaches the user', () => {
  const { caller, callee } = edgePair()
  const invite = request()
  const tags: (string | undefined)[] = []
  const call = caller.layer.request(invite, caller.wire, {
    ...listener(),
    onResponse(response: SipResponse) {
      tags.push(toTag(response))
      call.ack(ackInDialog(dialogOfUac(invite, response) as Dialog, invite))
    },
  })
  const [incoming] = callee.requests as [ServerTransaction]
  for (const tag of ['one', 'two', 'one']) {
    caller.layer.receiveResponse(makeResponse(incoming.request, 200, { toTag: tag, ...OK }))
  }
  assert.deepEqual(tags, ['one', 'two'])
  assert.deepEqual(
    callee.acks.map((ack) => toTag(ack)),
    ['one', 'two', 'one'],
  )
})

test('RFC 6026 8.9 a response that matches no transaction is dropped and counted', () => {
  const { caller } = edgePair()
  const stranger = request('OPTIONS', { via: 'SIP/2.0/UDP caller.example;branch=z9hG4bKunknown' })
  caller.layer.receiveResponse(makeResponse(stranger, 200))
  assert.equal(caller.layer.counters.strayResponses, 1)
})

test('RFC 3261 8.1.3.3 a response with more than one Via is discarded', () => {
  const { caller, callee } = edgePair()
  const heard = listener()
  caller.layer.request(request('OPTIONS'), caller.wire, heard)
  const [incoming] = callee.requests as [ServerTransaction]
  const response = makeResponse(incoming.request, 200)
  response.headers.set('Via', `${response.headers.get('via')}, SIP/2.0/UDP elsewhere.example;branch=z9hG4bKx`)
  caller.layer.receiveResponse(response)
  assert.deepEqual(heard.heard, [])
})

test('RFC 4320 4.2 a request that nobody answers is forgotten after 64*T1, and a later answer is not sent', () => {
  const { caller, callee, time } = edgePair()
  const heard = listener()
  caller.layer.request(request('MESSAGE'), caller.wire, heard)
  time.advance(60_000)
  callee.requests[0]?.reply(200)
  assert.deepEqual(heard.heard, ['timeout'])
  assert.deepEqual(callee.sent, [])
  assert.equal(callee.layer.serverCount, 0)
})

test('RFC 4320 4.2 a request other than INVITE is never answered with 408', () => {
  const { caller, callee } = edgePair({ onRequest: (transaction) => transaction.reply(408) })
  for (const [method, status] of [
    ['INFO', '504'],
    ['INVITE', '408'],
  ] as const) {
    const heard = listener()
    caller.layer.request(request(method), caller.wire, heard)
    assert.deepEqual(heard.heard, [status])
    assert.equal(callee.requests.at(-1)?.answered, true)
  }
})

test('a released INVITE holds nothing of its call, but still acknowledges a repeated 2xx', () => {
  const { caller, callee } = edgePair()
  const invite = request()
  const heard = listener()
  const call = caller.layer.request(invite, caller.wire, {
    ...heard,
    onResponse(response) {
      heard.onResponse(response)
      call.ack(ackInDialog(dialogOfUac(invite, response) as Dialog, invite))
      call.release()
    },
  })
  const [incoming] = callee.requests as [ServerTransaction]
  const ok = incoming.reply(200, OK)
  incoming.respond(ok)
  caller.layer.receiveResponse(makeResponse(incoming.request, 200, { toTag: 'fork', ...OK }))
  assert.deepEqual(heard.heard, ['200'])
  assert.equal(callee.acks.length, 2)
})

test('RFC 3261 17.1.3 a response to CANCEL does not match the INVITE of the same branch', () => {
  const { caller, callee } = edgePair()
  const heard = listener()
  const invite = request()
  caller.layer.request(invite, caller.wire, heard)
  caller.layer.receiveResponse(makeResponse(makeCancel(invite), 200))
  assert.deepEqual(heard.heard, [])
  assert.equal(callee.requests.length, 1)
})

test('a wire that fails tells every transaction still waiting on it, and only those', () => {
  const { caller, callee } = edgePair({
    reliable: true,
    onRequest(transaction) {
      if (transaction.request.method === 'MESSAGE') transaction.reply(200)
    },
  })
  const waiting = [listener(), listener()]
  const done = listener()
  caller.layer.request(request('OPTIONS'), caller.wire, waiting[0] as (typeof waiting)[0])
  caller.layer.request(request(), caller.wire, waiting[1] as (typeof waiting)[0])
  caller.layer.request(request('MESSAGE'), caller.wire, done)
  caller.layer.wireFailed(caller.wire)
  assert.deepEqual(
    waiting.map(({ heard }) => heard),
    [['transport-error'], ['transport-error']],
  )
  assert.deepEqual(done.heard, ['200'])
  assert.equal(caller.layer.clientCount, 0)
  assert.equal(callee.layer.serverCount, 2)
})

test('a send that throws is told to the user after request has returned', () => {
  const { caller, time } = edgePair()
  caller.broken = true
  const heard = listener()
  caller.layer.request(request(), caller.wire, heard)
  assert.deepEqual(heard.heard, [])
  time.advance(20)
  assert.deepEqual(heard.heard, ['transport-error'])
  assert.equal(caller.layer.clientCount, 0)
})

test('beyond its bound the layer answers 503 with Retry-After, but for exempt requests', () => {
  const { caller, callee } = edgePair({
    layer: { maxTransactions: 2, exempt: (incoming) => incoming.uri === 'urn:service:sos' },
  })
  const last = listener()
  for (let i = 0; i < 2; i++) caller.layer.request(request(), caller.wire, listener())
  caller.layer.request(request(), caller.wire, last)
  caller.layer.request(request('INVITE', { uri: 'urn:service:sos' }), caller.wire, listener())
  assert.deepEqual(last.heard, ['503'])
  assert.equal(callee.requests.length, 3)
  assert.equal(callee.layer.counters.overload, 1)
})

test('a malformed top Via is dropped without harm', () => {
  const { callee } = edgePair()
  callee.layer.receiveRequest(request('OPTIONS', { via: 'nonsense' }), callee.wire)
  callee.layer.receiveRequest(request('OPTIONS'), callee.wire)
  assert.equal(callee.layer.serverCount, 0)
})

test('after close nothing fires', () => {
  const { caller, time } = edgePair()
  const heard = listener()
  caller.wire.send = () => undefined
  caller.layer.request(request(), caller.wire, heard)
  caller.layer.close()
  time.advance(60_000)
  assert.deepEqual(heard.heard, [])
  assert.equal(time.waiting, 0)
})
