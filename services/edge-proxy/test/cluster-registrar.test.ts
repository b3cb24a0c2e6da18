/** The registrar of two edges as one (docs/adr/0120, 0121, 0122). */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Bus } from '@tandem/bus/bus.ts'
import type { Body } from '@tandem/contracts/contract.ts'
import { NonceUsed } from '@tandem/contracts/edge.ts'
import { RegistrationBound, RegistrationRemoved } from '@tandem/contracts/registration.ts'
import { makeRequest } from '@tandem/sip/message/make.ts'
import type { SipResponse } from '@tandem/sip/message/message.ts'
import { type PrivateNats, startPrivateNats } from '@tandem/testing/nats.ts'
import { eventually } from './carrier-side.ts'
import { isRequest, type RawPeer, rawPeer, registerUser, requestOf, withCredentials } from './raw-peer.ts'
import { PASSWORDS, startEdgeForTest, type TestEdge, testConfiguration } from './start-edge.ts'

let nats: PrivateNats
let listener: Bus
let a: TestEdge
let b: TestEdge
const bob = { user: 'bob', password: PASSWORDS.BOB_PASSWORD }
const bound: Body<typeof RegistrationBound>[] = []
const removed: Body<typeof RegistrationRemoved>[] = []
const peers = new Set<RawPeer>()
const INSTANCE = '+sip.instance="<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6>"'

before(async () => {
  nats = await startPrivateNats()
  listener = await nats.bus('console')
  listener.hear(RegistrationBound, (fact) => {
    if (fact.user === 'bob') bound.push(fact)
  })
  listener.hear(RegistrationRemoved, (fact) => void removed.push(fact))
  await listener.flush()
  const base = testConfiguration()
  const edge = {
    ...base.edge,
    cluster: { secret: { env: 'CLUSTER_SECRET' } },
    registration: { contacts: 3, flowTimer: '2s' },
  }
  const options = { nats, document: { ...base, edge }, env: { CLUSTER_SECRET: 'of these edges' } }
  a = await startEdgeForTest({ ...options, node: 'edge-a' })
  b = await startEdgeForTest({ ...options, node: 'edge-b' })
  const { lease } = a.core.edge.cluster
  await eventually('the edges know each other', () => lease.others() === 1 && b.core.edge.cluster.lease.others() === 1)
})
after(async () => {
  for (const peer of peers) peer.close()
  await a?.close()
  await b?.close()
  await nats?.close()
})

async function at(edge: TestEdge, transport: 'UDP' | 'TCP' = 'UDP', from = '127.0.0.1'): Promise<RawPeer> {
  const peer = await rawPeer(transport, { port: edge.port(transport === 'UDP' ? 'inside' : 'inside-tcp') }, { from })
  peers.add(peer)
  return peer
}

/** Contacts of bob as an edge would ring them, by user part of the Contact. */
const known = (edge: TestEdge): string[] =>
  edge.core.edge.bindings
    .of('bob')
    .map((binding) => binding.contact.uri.user ?? '')
    .sort()

const both = (what: string, names: readonly string[]) =>
  eventually(what, () => [a, b].every((edge) => JSON.stringify(known(edge)) === JSON.stringify(names)))

interface Registering {
  readonly callId?: string
  readonly cseq?: number
  readonly headers?: [string, string][]
}

async function register(peer: RawPeer, contact: string, more: Registering = {}): Promise<SipResponse> {
  const request = requestOf(peer, 'REGISTER', {
    ...{ user: 'bob', contact, headers: more.headers ?? [['Expires', '300']] },
    ...(more.callId === undefined ? {} : { callId: more.callId }),
    cseq: more.cseq ?? 1,
  })
  const challenge = await peer.ask(request)
  return await peer.ask(withCredentials(request, challenge, bob))
}

const contactOf = (peer: RawPeer, name: string) => `<sip:${name}@127.0.0.1:${peer.port}>`

async function forgetAll(peer: RawPeer, ...others: RawPeer[]): Promise<void> {
  assert.equal((await register(peer, '*', { headers: [['Expires', '0']] })).status, 200)
  await both('nobody is left', [])
  // each edge gathers its facts for a moment: what the other has told may be later
  await Promise.all([a, b].map((edge) => edge.core.edge.bus.flush()))
  await listener.flush()
  const gone = () => new Set(removed.map((f) => f.bindingId))
  await eventually('all is told', () => bound.every((f) => gone().has(f.bindingId)))
  for (const one of [peer, ...others]) {
    peers.delete(one)
    one.close()
  }
}

test('RFC 3261 10.3: contacts at both edges are one list: read, limited, removed by either', async () => {
  bound.length = removed.length = 0
  const here = await at(a)
  const there = await at(b)
  await register(here, contactOf(here, 'one'))
  await both('one', ['one'])
  const answer = await register(there, contactOf(there, 'two'))
  assert.equal(answer.headers.getAll('contact').length, 2, 'the 200 lists both')
  await both('two', ['one', 'two'])
  await register(there, contactOf(there, 'three'))
  await both('three', ['one', 'three', 'two'])
  // registration.contacts is 3: the oldest makes room, wherever it is
  await register(there, contactOf(there, 'four'))
  await both('the oldest is gone', ['four', 'three', 'two'])
  assert.equal((await register(there, `<sip:five@h>, <sip:six@h>, <sip:seven@h>, <sip:eight@h>`)).status, 403)
  const gone = await register(here, contactOf(there, 'two'), { headers: [['Expires', '0']] })
  assert.equal(gone.headers.getAll('contact').length, 2)
  await both('one was removed at the other edge', ['four', 'three'])
  await forgetAll(here, there)
  assert.deepEqual(
    bound.map((f) => [/sip:(\w+)@/.exec(f.contact)?.[1], f.edge]),
    [
      ['one', 'edge-a'],
      ['two', 'edge-b'],
      ['three', 'edge-b'],
      ['four', 'edge-b'],
    ],
  )
  const told = removed.map((f) => f.bindingId)
  assert.deepEqual([told.length, new Set(told).size], [4, 4], 'each is told once')
  assert.ok(removed.every((f) => f.why === 'unregistered'))
})

test('RFC 3261 10.3 step 7: a CSeq that is not higher changes nothing at the other edge either', async () => {
  const here = await at(a)
  const there = await at(b)
  await register(here, contactOf(here, 'one'), { callId: 'same', cseq: 10 })
  await both('one', ['one'])
  const late = await register(there, contactOf(here, 'one'), { callId: 'same', cseq: 5 })
  assert.equal(late.status, 500)
  const next = await register(there, contactOf(here, 'one'), { callId: 'same', cseq: 20 })
  assert.equal(next.status, 200)
  await eventually('it has moved', () => a.core.registrations.count() === 0)
  await forgetAll(here, there)
})

test('RFC 5626 6: a flow of an instance that comes to another edge stays one binding, with the same id', async () => {
  bound.length = removed.length = 0
  const flow = (peer: RawPeer) => `${contactOf(peer, 'flow')};reg-id=1;${INSTANCE}`
  const outbound: [string, string][] = [
    ['Expires', '300'],
    ['Supported', 'path, outbound'],
  ]
  const here = await at(a)
  const there = await at(b)
  await register(here, flow(here), { headers: outbound })
  await both('here', ['flow'])
  const answer = await register(there, flow(there), { headers: outbound })
  assert.equal(answer.headers.getAll('contact').length, 1)
  await eventually('the first edge reaches it by the second', () => {
    const [binding] = a.core.edge.bindings.of('bob')
    return binding?.source === `127.0.0.1:${there.port}` && a.core.registrations.count() === 0
  })
  await eventually('both are told', () => bound.length === 2)
  assert.equal(new Set(bound.map((f) => f.bindingId)).size, 1)
  assert.equal(removed.length, 0)
  await forgetAll(there, here)
})

test('two edges that take the same contact at once come to one binding, and each id is told as gone once', async () => {
  bound.length = removed.length = 0
  const here = await at(a)
  const there = await at(b)
  const contact = contactOf(here, 'twin')
  await Promise.all([register(here, contact), register(there, contact)])
  await both('one is left', ['twin'])
  await eventually(
    'the other is told as gone',
    () => new Set(bound.map((f) => f.bindingId)).size - removed.length === 1,
  )
  await forgetAll(here, there)
  const ids = [...new Set(bound.map((f) => f.bindingId))]
  assert.deepEqual(removed.map((f) => f.bindingId).sort(), ids.sort())
})

test('RFC 5626 5.3.1: a phone behind a NAT is reached through its edge; the flow token is proven, and told when dead', async () => {
  const phone = await at(a, 'UDP', '127.0.0.9')
  await register(phone, '<sip:behind@192.168.1.20:5060>')
  await both('it is known', ['behind'])
  const wire = b.core.edge.bindings.of('bob')[0]?.wire()
  assert.equal(wire?.through?.edge, 'edge-a')
  assert.equal(wire.remoteAddress, '127.0.0.9')
  const ask = (route?: string): Promise<SipResponse> =>
    new Promise((done, fail) => {
      const request = makeRequest({
        ...{ method: 'MESSAGE', uri: 'sip:behind@192.168.1.20:5060', from: '<sip:alice@acme.example>;tag=1' },
        ...{ to: '<sip:bob@acme.example>', callId: `m-${Math.random()}`, cseq: 1 },
        ...(route === undefined ? {} : { route: [route] }),
      })
      const on = route === undefined ? wire : undefined
      const lost = () => fail(new Error('no answer'))
      const handlers = {
        onResponse: (response: SipResponse) => response.status >= 200 && done(response),
        ...{ onTimeout: lost, onTransportError: lost },
      }
      const straight = b.core.edge.wires.to('inside', 'UDP', '127.0.0.1', a.port('inside'))
      if (on) b.core.edge.transactions.request(request, on, handlers as never)
      else straight.then((w) => b.core.edge.transactions.request(request, w, handlers as never), fail)
    })
  const answered = ask()
  const message = await phone.next(isRequest('MESSAGE'))
  assert.equal(message.headers.getAll('via').length, 1, 'the Via of the other edge stays inside')
  assert.equal(message.headers.get('route'), undefined)
  assert.equal(message.headers.get('max-forwards'), '69')
  phone.reply(message, 202)
  assert.equal((await answered).status, 202)
  assert.equal((await ask(`<sip:flow.x.y.aaaaaaaaaaaaaaaa@127.0.0.1:${a.port('inside')};lr>`)).status, 403)
  const token = wire.flow.replace('through/', '')
  await forgetAll(phone)
  assert.equal((await ask(token)).status, 430, 'RFC 5626 5.3.1: "If the flow no longer exists"')
})

test('RFC 7616 3.4: a nonce of one edge is good at the other, and each use of it once at either', async () => {
  const here = await at(a)
  const there = await at(b)
  const request = requestOf(here, 'REGISTER', { user: 'bob', headers: [['Expires', '300']] })
  const challenge = await here.ask(request)
  const good = withCredentials(request, challenge, bob)
  const used: number[] = []
  const listener = await nats.bus('edge-proxy')
  const stop = listener.hear(NonceUsed, ({ count }) => void used.push(count))
  // it hears from here on
  await listener.flush()
  assert.equal((await there.ask(good)).status, 200, 'what A asked is answered at B')
  await eventually('the use is told', () => used.length > 0)
  await a.bus.flush()
  await stop()
  const stale = async (peer: RawPeer, cseq: number): Promise<boolean> => {
    const answer = await peer.ask(withCredentials(request, challenge, bob, { cseq }))
    return answer.status === 401 && /stale=true/.test(answer.headers.get('www-authenticate') ?? '')
  }
  assert.ok(await stale(there, 3), 'the same use at B is a replay')
  assert.ok(await stale(here, 4), 'and at A, where it was not used')
  assert.equal((await here.ask(withCredentials(request, challenge, bob, { cseq: 5, nc: 2 }))).status, 200)
  await eventually('it has moved', () => b.core.registrations.count() === 0)
  await forgetAll(here, there)
})

test('RFC 5627 5.4: a GRUU that one edge gave is understood by the other', async () => {
  const phone = await at(a)
  const headers: [string, string][] = [
    ['Expires', '300'],
    ['Supported', 'gruu'],
  ]
  const answer = await register(phone, `${contactOf(phone, 'desk')};${INSTANCE}`, { headers })
  await both('it is known', ['desk'])
  const temporary = /temp-gruu="([^"]+)"/.exec(answer.headers.get('contact') ?? '')?.[1] ?? ''
  const caller = await at(b)
  await registerUser(caller, 'alice', PASSWORDS.ALICE_PASSWORD)
  const sent = caller.ask(requestOf(caller, 'MESSAGE', { uri: temporary, body: 'hello', contentType: 'text/plain' }))
  const message = await phone.next(isRequest('MESSAGE'))
  phone.reply(message, 200)
  assert.equal((await sent).status, 200)
  await forgetAll(phone)
})

test('RFC 5626 5.4: a flow is told its Flow-Timer; with pings it lives, without any sign it is closed and its binding goes', async () => {
  bound.length = removed.length = 0
  const outbound: [string, string][] = [
    ['Expires', '300'],
    ['Supported', 'path, outbound'],
  ]
  const phone = await at(a, 'TCP')
  const plain = await at(a, 'TCP')
  const answer = await register(phone, `${contactOf(phone, 'flow')};reg-id=1;${INSTANCE}`, { headers: outbound })
  assert.equal(answer.headers.get('flow-timer'), '2')
  assert.equal((await register(plain, contactOf(plain, 'plain'))).headers.get('flow-timer'), undefined)
  await both('both are known', ['flow', 'plain'])
  // 4.4.1: pings for longer than the timer and its grace (3 s) and a look at connections (2 s) together
  for (let n = 1; n <= 12; n++) {
    phone.send('\r\n\r\n')
    await eventually('a single CRLF answers', () => phone.other.length === n)
    await new Promise((done) => setTimeout(done, 500))
  }
  assert.ok(phone.other.every((bytes) => bytes.toString() === '\r\n'))
  assert.deepEqual(known(b), ['flow', 'plain'])
  await phone.closed
  await both('who promised nothing stays', ['plain'])
  await eventually('it is told', () => removed.length > 0)
  assert.deepEqual(
    removed.map((f) => [f.why, f.contact.slice(4, 8)]),
    [['flow-failed', 'flow']],
  )
  await forgetAll(plain)
})
