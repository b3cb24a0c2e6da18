import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseNameAddr } from '@tandem/sip/message/uri.ts'
import { readBinding, udpFlow, writeBinding } from '../src/domain/kept-binding.ts'
import {
  type BoundContact,
  contactValues,
  expire,
  inOrder,
  outlasts,
  type RegisterFacts,
  register,
} from '../src/domain/registrar.ts'

const limits = { minimum: 60, maximum: 3600, contacts: 3 }
let ids = 0
const newId = () => `b${++ids}`

function address(text: string) {
  const found = parseNameAddr(text)
  assert.ok(found)
  return found
}

function facts(more: Partial<Omit<RegisterFacts, 'contacts'>> & { contacts?: string[] | '*' } = {}): RegisterFacts {
  const { contacts = ['<sip:alice@192.0.2.1>'], ...rest } = more
  return {
    aor: { user: 'alice', domain: 'acme.example', written: 'alice' },
    expires: undefined,
    callId: 'call',
    cseq: 1,
    path: [],
    supported: [],
    firstHop: true,
    flow: 'inside/udp/192.0.2.1/5060',
    source: '192.0.2.1:5060',
    transport: 'UDP',
    site: undefined,
    userAgent: undefined,
    ...rest,
    contacts: contacts === '*' ? '*' : contacts.map(address),
  }
}

function accepted(present: readonly BoundContact[], f: RegisterFacts, now = 0) {
  const outcome = register(present, f, limits, now, newId)
  assert.ok(outcome.kind === 'accepted', JSON.stringify(outcome))
  return outcome
}

function status(present: readonly BoundContact[], f: RegisterFacts): number {
  const outcome = register(present, f, limits, 0, newId)
  return outcome.kind === 'refused' ? outcome.status : 200
}

test('several contacts are bound, each with its own time: parameter before header before the longest', () => {
  const f = facts({
    contacts: ['<sip:a@h>;expires=100;q=0.1', '<sip:b@h>;q=0.9', '<sip:c@h>;expires=99999'],
    expires: 200,
  })
  const { bindings } = accepted([], f)
  assert.deepEqual(
    bindings.map((b) => b.expiresAt),
    [100_000, 200_000, 3_600_000],
  )
  assert.deepEqual(
    inOrder(bindings).map((b) => b.contact.uri.user),
    ['c', 'b', 'a'],
  )
  assert.deepEqual(contactValues(bindings, 10_000), [
    '<sip:a@h>;expires=90;q=0.1',
    '<sip:b@h>;expires=190;q=0.9',
    '<sip:c@h>;expires=3590',
  ])
  assert.equal(accepted([], facts()).bindings[0]?.expiresAt, 3_600_000)
})

test('a refresh keeps the id of the binding', () => {
  const first = accepted([], facts({ expires: 100 }))
  const second = accepted(first.bindings, facts({ cseq: 2, expires: 300 }), 50_000)
  assert.equal(second.bindings.length, 1)
  assert.equal(second.bindings[0]?.bindingId, first.bindings[0]?.bindingId)
  assert.equal(second.bindings[0]?.expiresAt, 350_000)
})

test('RFC 3261 10.3: a CSeq that is not higher within the same Call-ID changes nothing at all', () => {
  const { bindings } = accepted([], facts({ cseq: 5 }))
  assert.equal(status(bindings, facts({ cseq: 5 })), 500)
  assert.equal(status(bindings, facts({ contacts: ['<sip:new@h>', '<sip:alice@192.0.2.1>'], cseq: 4 })), 500)
  assert.equal(status(bindings, facts({ cseq: 1, callId: 'after a restart' })), 200)
})

test('RFC 3261 10.3: the wildcard needs Expires 0 and removes everything', () => {
  const { bindings } = accepted([], facts({ contacts: ['<sip:a@h>', '<sip:b@h>'] }))
  assert.equal(status(bindings, facts({ contacts: '*', expires: 10, cseq: 2 })), 400)
  assert.equal(status(bindings, facts({ contacts: '*', cseq: 2 })), 400)
  const gone = accepted(bindings, facts({ contacts: '*', expires: 0, cseq: 2 }))
  assert.deepEqual([gone.bindings.length, gone.removed.length], [0, 2])
  assert.equal(status(bindings, facts({ contacts: '*', expires: 0, cseq: 1 })), 500)
})

test('a contact with expires=0 is removed alone; without Contact the bindings are only read', () => {
  const { bindings } = accepted([], facts({ contacts: ['<sip:a@h>', '<sip:b@h>'] }))
  const left = accepted(bindings, facts({ contacts: ['<sip:a@h>;expires=0'], cseq: 2 }))
  assert.deepEqual(
    left.bindings.map((b) => b.contact.uriText),
    ['sip:b@h'],
  )
  assert.equal(left.removed.length, 1)
  const read = accepted(bindings, facts({ contacts: [], cseq: 2 }))
  assert.deepEqual([read.bindings.length, read.bound.length, read.removed.length], [2, 0, 0])
})

test('a brief interval gets 423 with Min-Expires', () => {
  const outcome = register([], facts({ contacts: ['<sip:a@h>;expires=59'] }), limits, 0, newId)
  assert.ok(outcome.kind === 'refused')
  assert.deepEqual([outcome.status, outcome.headers], [423, [['Min-Expires', '60']]])
})

test('phones that come back with new contacts push out the oldest, they are not locked out', () => {
  let bindings: readonly BoundContact[] = []
  for (let i = 0; i < 5; i++) {
    bindings = accepted(bindings, facts({ contacts: [`<sip:a@h:${i + 1}>`], callId: `c${i}` }), i * 1000).bindings
  }
  assert.deepEqual(
    bindings.map((b) => b.contact.uri.port),
    [3, 4, 5],
  )
  assert.equal(status([], facts({ contacts: [1, 2, 3, 4].map((n) => `<sip:a@h:${n}>`) })), 403)
})

test('RFC 5626 6: a flow is known by instance and reg-id, whatever its contact is', () => {
  const of = (port: number, reg: number) => [`<sip:a@h:${port}>;+sip.instance="<urn:uuid:1>";reg-id=${reg}`]
  const first = accepted([], facts({ contacts: of(1, 1), supported: ['outbound'] }))
  assert.ok(first.outbound)
  const again = accepted(first.bindings, facts({ contacts: of(2, 1), supported: ['outbound'], callId: 'new' }))
  assert.deepEqual(
    again.bindings.map((b) => b.contact.uri.port),
    [2],
  )
  const second = accepted(again.bindings, facts({ contacts: of(3, 2), supported: ['outbound'], callId: 'other' }))
  assert.equal(second.bindings.length, 2)
  assert.match(contactValues(second.bindings, 0)[0] ?? '', /;\+sip\.instance="<urn:uuid:1>";reg-id=1$/)
  assert.ok(!accepted([], facts({ contacts: of(1, 1) })).outbound, 'not without Supported: outbound')
  const hop = { contacts: of(1, 1), supported: ['outbound'], firstHop: false }
  assert.equal(status([], facts(hop)), 439)
  assert.equal(status([], facts({ ...hop, path: ['<sip:p;lr;ob>'] })), 200)
  assert.equal(status([], facts({ contacts: [...of(1, 1), '<sip:b@h>'], supported: ['outbound'] })), 400)
})

test('bindings end at their time', () => {
  const { bindings } = accepted([], facts({ contacts: ['<sip:a@h>;expires=60', '<sip:b@h>;expires=120'] }))
  const { left, gone } = expire(bindings, 60_000)
  assert.deepEqual([left.length, gone.length], [1, 1])
  assert.equal(accepted(bindings, facts({ contacts: [], cseq: 2 }), 90_000).bindings.length, 1)
})

test('a contact that is no SIP URI is refused', () => {
  assert.equal(status([], facts({ contacts: ['<tel:+14255551001>'] })), 400)
})

test('a binding survives being written down', () => {
  const text = '"Alice \\"A\\"" <sip:alice@192.0.2.1:5060;transport=udp>;q=0.5;+sip.instance="<urn:uuid:1>";reg-id=1'
  const { bindings } = accepted(
    [],
    facts({ contacts: [text], supported: ['outbound'], path: ['<sip:p;lr>'], site: 'hq' }),
  )
  const [binding] = bindings
  assert.ok(binding)
  const again = readBinding(writeBinding(binding))
  assert.ok(again)
  const { contact: _a, ...left } = again
  const { contact: _b, ...right } = JSON.parse(JSON.stringify(binding))
  assert.deepEqual(left, right)
  assert.deepEqual(again.contact, binding.contact)
  assert.deepEqual(udpFlow(again.flow), { listener: 'inside', address: '192.0.2.1', port: 5060 })
  assert.equal(udpFlow('remote/tls/192.0.2.1/5060/7'), undefined, 'a connection dies with its process')
  assert.deepEqual(udpFlow('inside/udp/2001:db8::1/5060'), { listener: 'inside', address: '2001:db8::1', port: 5060 })
  assert.equal(readBinding('{"contact":"<<"}'), undefined)
  assert.equal(readBinding('rubbish'), undefined)
})

test('of two bindings of one phone one stands, the later one, and every edge says the same: in the same millisecond, too', () => {
  const [early, late, twin] = [
    { bindingId: 'z', boundAt: 1 },
    { bindingId: 'a', boundAt: 2 },
    { bindingId: 'b', boundAt: 2 },
  ]
  assert.deepEqual([outlasts(late, early), outlasts(early, late)], [true, false])
  assert.deepEqual([outlasts(twin, late), outlasts(late, twin)], [true, false])
})
