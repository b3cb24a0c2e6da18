import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Bus } from '@tandem/bus/bus.ts'
import { type CapturedMessage, SipCaptured } from '@tandem/contracts/call.ts'
import type { Question } from '@tandem/contracts/contract.ts'
import { SendMessage } from '@tandem/contracts/edge.ts'
import { PresenceNotify, PublishPresence, SubscribePresence } from '@tandem/contracts/presence.ts'
import type { SipRequest, SipResponse } from '@tandem/sip/message/message.ts'
import { isRequest, type RawPeer, rawPeer, registerUser, requestOf } from './raw-peer.ts'
import { noCalls, PASSWORDS, startEdgeForTest, type TestEdge } from './start-edge.ts'

let edge: TestEdge
let presence: Bus
let phone: RawPeer
let bob: RawPeer
const asked: Question<typeof SubscribePresence>[] = []
const published: Question<typeof PublishPresence>[] = []
const captured: CapturedMessage[] = []
const pidf = (n: number) =>
  `<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="sip:bob@acme.example"><note>${n}</note></presence>`

before(async () => {
  edge = await startEdgeForTest({
    createCalls: (core) => ({
      ...noCalls(),
      onInvite(transaction) {
        core.capture.follow(transaction.request.headers.get('call-id') ?? '', 'call-1', 'leg-1', 'user:alice')
        transaction.reply(486)
      },
    }),
  })
  presence = await edge.nats.bus('presence')
  presence.answer(SubscribePresence, (question) => {
    asked.push(question)
    if (question.presentity === 'nobody') return { status: 404 }
    const notify = { state: 'active' as const, contentType: 'application/pidf+xml', body: pidf(0) }
    return { status: 200, expires: Math.min(question.expires, 600), notify }
  })
  presence.answer(PublishPresence, (question) => {
    published.push(question)
    return question.ifMatch === 'gone' ? { status: 412 } : { status: 200, etag: 'etag1', expires: 60 }
  })
  await presence.flush()
  const console = await edge.nats.bus('console')
  console.hear(SipCaptured, ({ messages }) => void captured.push(...messages))
  await console.flush()
  phone = await rawPeer('UDP', { port: edge.port('inside') })
  bob = await rawPeer('UDP', { port: edge.port('inside') })
  await registerUser(phone, 'alice', PASSWORDS.ALICE_PASSWORD)
  await registerUser(bob, 'bob', PASSWORDS.BOB_PASSWORD)
})
after(async () => {
  phone.close()
  bob.close()
  await edge.close()
})

const subscribe = (headers: [string, string][], presentity = 'bob') =>
  requestOf(phone, 'SUBSCRIBE', {
    uri: `sip:${presentity}@acme.example`,
    to: `<sip:${presentity}@acme.example>`,
    headers,
  })

const inDialog = (first: SipRequest, ok: SipResponse, cseq: number, headers: [string, string][]) => {
  const request = requestOf(phone, 'SUBSCRIBE', {
    uri: /<([^>]*)>/.exec(ok.headers.get('contact') ?? '')?.[1] ?? '',
    to: ok.headers.get('to') ?? '',
    callId: first.headers.get('call-id') ?? '',
    cseq,
    headers,
  })
  request.headers.set('From', first.headers.get('from') ?? '')
  return request
}

test('a watcher gets 200 and a NOTIFY at once, each change after the answer to the one before, and the last word', async () => {
  const first = subscribe([
    ['Event', 'presence'],
    ['Expires', '900'],
    ['Accept', 'application/pidf+xml'],
  ])
  const ok = await phone.ask(first)
  assert.equal(ok.status, 200)
  assert.equal(ok.headers.get('expires'), '600')
  assert.deepEqual(asked.at(-1)?.watcher, 'alice')
  assert.deepEqual(asked.at(-1)?.accept, ['application/pidf+xml'])
  const notify = await phone.next(isRequest('NOTIFY'))
  assert.equal(notify.headers.get('event'), 'presence')
  assert.match(notify.headers.get('subscription-state') ?? '', /^active;expires=(600|599)$/)
  assert.equal(Buffer.from(notify.body).toString(), pidf(0))
  const subscriptionId = asked.at(-1)?.subscriptionId as string
  const tell = (n: number) =>
    presence.tell(PresenceNotify, {
      edge: 'edge-test',
      subscriptionId,
      notify: { state: 'active', contentType: 'application/pidf+xml', body: pidf(n) },
    })
  for (const n of [1, 2, 3]) tell(n)
  await presence.flush()
  await new Promise((done) => setTimeout(done, 100))
  assert.equal(phone.received.filter(isRequest('NOTIFY')).length, 0, 'none while the first is not answered')
  phone.reply(notify, 200)
  const newest = await phone.next(isRequest('NOTIFY'))
  assert.equal(Buffer.from(newest.body).toString(), pidf(3), 'only the newest state is worth sending')
  phone.reply(newest, 200)

  const refresh = inDialog(first, ok, 2, [
    ['Event', 'presence'],
    ['Expires', '300'],
  ])
  assert.equal((await phone.ask(refresh)).headers.get('expires'), '300')
  assert.equal(asked.at(-1)?.subscriptionId, subscriptionId)
  phone.reply(await phone.next(isRequest('NOTIFY')), 200)

  const end = inDialog(first, ok, 3, [
    ['Event', 'presence'],
    ['Expires', '0'],
  ])
  assert.equal((await phone.ask(end)).status, 200)
  const last = await phone.next(isRequest('NOTIFY'))
  assert.match(last.headers.get('subscription-state') ?? '', /^terminated/)
  phone.reply(last, 200)
  for (let i = 0; i < 1500 && edge.core.subscriptions() > 0; i++) await new Promise((done) => setTimeout(done, 10))
  assert.equal(edge.core.subscriptions(), 0)
  assert.equal((await phone.ask(inDialog(first, ok, 4, [['Event', 'presence']]))).status, 481)
})

test('a NOTIFY that is answered with 481 ends the subscription', async () => {
  const ok = await phone.ask(subscribe([['Event', 'presence']]))
  assert.equal(ok.status, 200)
  phone.reply(await phone.next(isRequest('NOTIFY')), 481)
  for (let i = 0; i < 1500 && edge.core.subscriptions() > 0; i++) await new Promise((done) => setTimeout(done, 10))
  assert.equal(edge.core.subscriptions(), 0)
})

test('what presence refuses is refused, and an unknown package is 489', async () => {
  assert.equal((await phone.ask(subscribe([['Event', 'presence']], 'nobody'))).status, 404)
  assert.equal((await phone.ask(subscribe([]))).status, 489)
})

test('PUBLISH goes to presence and comes back with its entity tag', async () => {
  const publish = (headers: [string, string][]) =>
    requestOf(phone, 'PUBLISH', {
      uri: 'sip:alice@acme.example',
      headers,
      body: pidf(9),
      contentType: 'application/pidf+xml',
    })
  const ok = await phone.ask(
    publish([
      ['Event', 'presence'],
      ['Expires', '60'],
    ]),
  )
  assert.equal(ok.status, 200)
  assert.equal(ok.headers.get('sip-etag'), 'etag1')
  assert.deepEqual(
    { publisher: published[0]?.publisher, presentity: published[0]?.presentity },
    { publisher: 'alice', presentity: 'alice' },
  )
  assert.equal(
    (
      await phone.ask(
        publish([
          ['Event', 'presence'],
          ['SIP-If-Match', 'gone'],
        ]),
      )
    ).status,
    412,
  )
})

test('a service has a MESSAGE sent to every phone of a user', async () => {
  const location = await edge.nats.bus('location')
  const body = '911 from room 201'
  const sending = location.ask(SendMessage, { to: 'sip:bob@acme.example', contentType: 'text/plain', body })
  const message = await bob.next(isRequest('MESSAGE'))
  assert.equal(Buffer.from(message.body).toString(), body)
  bob.reply(message, 200)
  const outcome = await sending
  assert.deepEqual(outcome, { kind: 'answer', answer: { delivered: true, status: 200 } })
  const nobody = await location.ask(SendMessage, { to: 'sip:zoe@acme.example', contentType: 'text/plain', body })
  assert.equal(nobody.kind === 'answer' && nobody.answer.delivered, false)
  const away = location.ask(SendMessage, { to: `sip:desk@127.0.0.1:${bob.port}`, contentType: 'text/plain', body })
  bob.reply(await bob.next(isRequest('MESSAGE')), 202)
  assert.deepEqual(await away, { kind: 'answer', answer: { delivered: true, status: 202 } })
})

test('a user writes to a user', async () => {
  const sending = phone.ask(
    requestOf(phone, 'MESSAGE', {
      uri: 'sip:1002@acme.example',
      body: 'hello',
      contentType: 'text/plain',
      contact: undefined,
    }),
  )
  const message = await bob.next(isRequest('MESSAGE'))
  assert.match(message.headers.get('from') ?? '', /<sip:alice@acme\.example>/)
  bob.reply(message, 200)
  assert.equal((await sending).status, 200)
})

test('the messages of a followed call are told, its first INVITE too, without credentials', async () => {
  const invite = requestOf(phone, 'INVITE', {
    uri: 'sip:1002@acme.example',
    headers: [['Authorization', 'Digest username="alice", response="0123"']],
  })
  assert.equal((await phone.ask(invite)).status, 486)
  for (let i = 0; i < 750 && captured.length < 2; i++) await new Promise((done) => setTimeout(done, 20))
  const [first, second] = captured
  assert.equal(first?.direction, 'received')
  assert.match(first?.text ?? '', /^INVITE sip:1002/)
  assert.match(first?.text ?? '', /Authorization: Digest \[left out\]/)
  assert.doesNotMatch(first?.text ?? '', /0123"/)
  assert.deepEqual([first?.offsetUs, first?.peer, first?.callId], [0, 'user:alice', 'call-1'])
  assert.match(second?.text ?? '', /^SIP\/2\.0 486/)
  assert.equal(second?.direction, 'sent')
})
