import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  ackInDialog,
  confirmDialog,
  type Dialog,
  dialogKey,
  dialogKeyOfRequest,
  dialogKeyOfResponse,
  dialogOfUac,
  dialogOfUas,
  nextHop,
  receiveInDialog,
  receiveResponseInDialog,
  requestInDialog,
  withRemoteSequence,
} from '../src/dialog/dialog.ts'
import { makeRequest, makeResponse } from '../src/message/make.ts'

const RECORD_ROUTES: [string, string][] = [
  ['Record-Route', '<sip:p2.example;lr;x=2>, <sip:p1.example;lr>'],
  ['Record-Route', '<sip:p0.example;lr>;y=1'],
]

const invite = (headers: [string, string][] = []) =>
  makeRequest({
    method: 'INVITE',
    uri: 'sip:bob@example.com',
    via: 'SIP/2.0/UDP a.example;branch=z9hG4bKx',
    from: '"Alice" <sip:alice@example.com>;tag=a1',
    to: 'Bob <sip:bob@example.com>',
    callId: 'call-1',
    cseq: 314,
    contact: '<sip:alice@a.example:5070>',
    headers,
  })

const ok = (request = invite(RECORD_ROUTES), status = 200, contact = '<sip:bob@b.example>;q=1') =>
  makeResponse(request, status, { toTag: 'b1', contact, recordRoute: true })

const uac = () => dialogOfUac(invite(), ok()) as Dialog
const uas = () => dialogOfUas(invite(RECORD_ROUTES), ok()) as Dialog

test('RFC 4475 3.4.1 a caller of RFC 2543 leaves Contact out: he is reached at his From', () => {
  const request = invite()
  request.headers.remove('contact')
  assert.equal(dialogOfUas(request, ok(request))?.remoteTarget, 'sip:alice@example.com')
  const broken = invite()
  broken.headers.set('Contact', '<tel:+1>')
  assert.equal(dialogOfUas(broken, ok(broken)), undefined)
})

test('RFC 3261 12.1.1 a UAS takes the route set in order, the remote target of Contact and the numbers of the request', () => {
  assert.deepEqual(uas(), {
    role: 'uas',
    state: 'confirmed',
    callId: 'call-1',
    localTag: 'b1',
    remoteTag: 'a1',
    localParty: 'Bob <sip:bob@example.com>;tag=b1',
    remoteParty: '"Alice" <sip:alice@example.com>;tag=a1',
    remoteTarget: 'sip:alice@a.example:5070',
    routeSet: ['<sip:p2.example;lr;x=2>', '<sip:p1.example;lr>', '<sip:p0.example;lr>'],
    localSequence: null,
    remoteSequence: 314,
    secure: false,
  })
})

test('RFC 3261 12.1.2 a UAC takes the route set of the response in reverse order', () => {
  assert.deepEqual(uac(), {
    role: 'uac',
    state: 'confirmed',
    callId: 'call-1',
    localTag: 'a1',
    remoteTag: 'b1',
    localParty: '"Alice" <sip:alice@example.com>;tag=a1',
    remoteParty: 'Bob <sip:bob@example.com>;tag=b1',
    remoteTarget: 'sip:bob@b.example',
    routeSet: ['<sip:p0.example;lr>', '<sip:p1.example;lr>', '<sip:p2.example;lr;x=2>'],
    localSequence: 314,
    remoteSequence: null,
    secure: false,
  })
})

test('a dialog survives JSON', () => {
  for (const dialog of [uac(), uas()]) assert.deepEqual(JSON.parse(JSON.stringify(dialog)), dialog)
})

test('RFC 3261 12.1 a 180 with To tag makes an early dialog, a 100 and a failure make none', () => {
  assert.equal(dialogOfUac(invite(), ok(undefined, 180))?.state, 'early')
  assert.equal(dialogOfUas(invite(), ok(undefined, 183))?.state, 'early')
  assert.equal(dialogOfUac(invite(), makeResponse(invite(), 180)), undefined)
  assert.equal(dialogOfUac(invite(), ok(undefined, 100)), undefined)
  assert.equal(dialogOfUac(invite(), ok(undefined, 486)), undefined)
})

test('RFC 3261 12.1.2 a 2xx without To tag (RFC 2543) makes a dialog with a null tag', () => {
  assert.equal(dialogOfUac(invite(), makeResponse(invite(), 200, { contact: '<sip:b@b.example>' }))?.remoteTag, '')
})

test('RFC 3261 12.1.1 a Contact that is no SIP URI makes no dialog', () => {
  assert.equal(dialogOfUac(invite(), ok(undefined, 200, '<mailto:bob@b.example>')), undefined)
  assert.equal(dialogOfUac(invite(), ok(undefined, 200, '*')), undefined)
})

test('RFC 3261 13.2.2.4 the 2xx confirms an early dialog: new route set and target, numbers kept', () => {
  const early = dialogOfUac(invite(), makeResponse(invite(), 180, { toTag: 'b1', contact: '<sip:early@b.example>' }))
  const [busy] = requestInDialog(early as Dialog, { method: 'UPDATE' })
  const confirmed = confirmDialog(busy, ok())
  assert.deepEqual(
    [confirmed.state, confirmed.remoteTarget, confirmed.routeSet.length, confirmed.localSequence],
    ['confirmed', 'sip:bob@b.example', 3, 315],
  )
})

test('RFC 3261 12.2.1.1 requests count up by one from the INVITE, or from 1 when we sent none', () => {
  const [once, bye] = requestInDialog(uac(), { method: 'BYE' })
  const [twice] = requestInDialog(once, { method: 'INFO' })
  assert.equal(bye.headers.get('cseq'), '315 BYE')
  assert.equal(twice.localSequence, 316)
  assert.equal(requestInDialog(uas(), { method: 'BYE' })[1].headers.get('cseq'), '1 BYE')
})

test('RFC 3261 12.2.1.1 From, To and Call-ID are those of the dialog, from either side', () => {
  const [, bye] = requestInDialog(uas(), { method: 'BYE' })
  assert.equal(bye.headers.get('from'), 'Bob <sip:bob@example.com>;tag=b1')
  assert.equal(bye.headers.get('to'), '"Alice" <sip:alice@example.com>;tag=a1')
  assert.equal(bye.headers.get('call-id'), 'call-1')
  assert.equal(bye.headers.get('via'), undefined)
})

test('RFC 3261 12.2.1.1 without a route set the remote target is the Request-URI', () => {
  const dialog = { ...uac(), routeSet: [] }
  const [, bye] = requestInDialog(dialog, { method: 'BYE' })
  assert.equal(bye.uri, 'sip:bob@b.example')
  assert.equal(bye.headers.has('route'), false)
  assert.equal(nextHop(dialog), 'sip:bob@b.example')
})

test('RFC 3261 12.2.1.1 loose routing: the remote target stays in the Request-URI, the route set in Route', () => {
  const [, bye] = requestInDialog(uac(), { method: 'BYE' })
  assert.equal(bye.uri, 'sip:bob@b.example')
  assert.deepEqual(bye.headers.getAll('route'), [
    '<sip:p0.example;lr>',
    '<sip:p1.example;lr>',
    '<sip:p2.example;lr;x=2>',
  ])
  assert.equal(nextHop(uac()), 'sip:p0.example;lr')
})

test('RFC 3261 12.2.1.1 strict routing: the first route becomes the Request-URI, the target the last Route', () => {
  const routeSet = ['<sip:proxy1;method=INVITE?a=b>', '<sip:proxy2>', '<sip:proxy3;lr>', '<sip:proxy4>']
  const dialog = { ...uac(), routeSet, remoteTarget: 'sip:user@remoteua' }
  const [, request] = requestInDialog(dialog, { method: 'INFO' })
  assert.equal(request.uri, 'sip:proxy1')
  assert.deepEqual(request.headers.getAll('route'), [
    '<sip:proxy2>',
    '<sip:proxy3;lr>',
    '<sip:proxy4>',
    '<sip:user@remoteua>',
  ])
})

test('RFC 3261 13.2.2.4 the ACK of a 2xx has the number and the credentials of its INVITE', () => {
  const sent = invite([['Proxy-Authorization', 'Digest username="alice"']])
  const ack = ackInDialog(uac(), sent, { body: 'v=0', contentType: 'application/sdp' })
  assert.equal(ack.headers.get('cseq'), '314 ACK')
  assert.equal(ack.headers.get('proxy-authorization'), 'Digest username="alice"')
  assert.equal(ack.headers.get('content-length'), '3')
  assert.equal(ackInDialog(uac(), 99).headers.get('cseq'), '99 ACK')
})

const inDialog = (method: string, cseq: number, contact?: string) =>
  makeRequest({
    method,
    uri: 'sip:bob@b.example',
    from: '"Alice" <sip:alice@example.com>;tag=a1',
    to: 'Bob <sip:bob@example.com>;tag=b1',
    callId: 'call-1',
    cseq,
    contact,
  })

test('RFC 3261 12.2.2 a lower CSeq is refused with 500, a higher one is taken even with a gap', () => {
  const low = receiveInDialog(uas(), inDialog('BYE', 313))
  assert.deepEqual([low.kind, low.kind === 'refuse' && low.status], ['refuse', 500])
  const high = receiveInDialog(uas(), inDialog('INFO', 400))
  assert.equal(high.kind === 'in-order' && high.dialog.remoteSequence, 400)
  const first = receiveInDialog(uac(), inDialog('INFO', 7))
  assert.equal(first.kind === 'in-order' && first.dialog.remoteSequence, 7)
})

test('RFC 3261 12.2.2 a re-INVITE moves the remote target, an INFO does not, and a refused one only counts', () => {
  const moved = '<sip:alice@new.example>'
  const verdict = receiveInDialog(uas(), inDialog('INVITE', 315, moved))
  assert.equal(verdict.kind === 'in-order' && verdict.dialog.remoteTarget, 'sip:alice@new.example')
  const info = receiveInDialog(uas(), inDialog('INFO', 315, moved))
  assert.equal(info.kind === 'in-order' && info.dialog.remoteTarget, 'sip:alice@a.example:5070')
  const refused = withRemoteSequence(uas(), inDialog('INVITE', 315, moved))
  assert.deepEqual([refused.remoteSequence, refused.remoteTarget], [315, 'sip:alice@a.example:5070'])
})

test('RFC 3261 12.2.1.2 481 and 408 end the dialog; a 2xx to a re-INVITE moves the target, other answers do not', () => {
  const answer = (status: number) => makeResponse(inDialog('INVITE', 5), status, { contact: '<sip:bob@moved.example>' })
  assert.equal(receiveResponseInDialog(uac(), 'INVITE', answer(481)).kind, 'over')
  assert.equal(receiveResponseInDialog(uac(), 'INFO', answer(408)).kind, 'over')
  const targets = (['INVITE', 'BYE'] as const).flatMap((method) =>
    [200, 488].map((status) => {
      const verdict = receiveResponseInDialog(uac(), method, answer(status))
      return verdict.kind === 'keep' ? verdict.dialog.remoteTarget : ''
    }),
  )
  assert.deepEqual(targets, ['sip:bob@moved.example', 'sip:bob@b.example', 'sip:bob@b.example', 'sip:bob@b.example'])
})

test('RFC 3261 12 the dialog of a message is found by Call-ID and the tags as its receiver sees them', () => {
  assert.equal(dialogKeyOfRequest(inDialog('BYE', 1)), dialogKey(uas()))
  assert.equal(dialogKeyOfResponse(ok()), dialogKey(uac()))
  assert.equal(dialogKeyOfRequest(invite()), undefined)
})
