import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Leg, LegRecord } from '@tandem/contracts/call.ts'
import { aggregate } from '../src/domain/aggregate.ts'
import { type LegFact, publicationOfBinding, publicationOfLeg } from '../src/domain/hear-fact.ts'
import type { Directory } from '../src/domain/mobile.ts'

const directory: Directory = {
  ownerOfMobile: (number) => (number === '+12065550142' ? 'alice' : undefined),
  trusts: (trunk) => trunk === 'mobile-carrier',
  e164: (number) => (number.startsWith('+') ? number : `+${number}`),
}
const AT = Date.parse('2026-11-23T10:00:00.000Z')

function leg(more: Partial<Leg>): Leg {
  return {
    ...{
      callId: 'c1',
      legId: 'l1',
      seq: 3,
      edge: 'e1',
      at: '2026-11-23T10:00:00.000Z',
      role: 'callee',
      dialled: '1001',
    },
    ...{
      party: { kind: 'user', user: 'alice' },
      site: 'hq',
      from: '+12065550100',
      emergency: false,
      attempt: 1,
      sipCallId: 'x',
    },
    ...more,
  }
}
const trunk = (name = 'itsp-a') => ({ kind: 'trunk' as const, trunk: name })
const answered = (more: Partial<Leg>, setupMs = 5000): LegFact => ({ kind: 'answered', leg: { ...leg(more), setupMs } })
const said = (fact: LegFact) => publicationOfLeg(fact, directory)

test('an answered leg of a user is a call on a desk phone, or on a remote one without a site', () => {
  assert.deepEqual(said(answered({}))?.activities, ['on-the-phone'])
  assert.equal(said(answered({}))?.device, 'desk')
  const { site: _, ...away } = leg({})
  assert.equal(said({ kind: 'answered', leg: { ...away, setupMs: 10 } })?.device, 'remote')
})

test('M1: our leg to the registered mobile is a call on the mobile of its user', () => {
  const publication = said(answered({ role: 'mobile', party: trunk(), user: 'alice', to: '+12065550142' }))
  assert.equal(publication?.user, 'alice')
  assert.equal(publication?.source, 'mobile')
  assert.equal(publication?.device, 'mobile')
  assert.equal(publication?.confidence, 'certain')
})

test('M2: anybody’s call through the trunk to that mobile counts too', () => {
  assert.equal(said(answered({ party: trunk(), user: 'bob', to: '+12065550142' }))?.user, 'alice')
  assert.equal(said(answered({ party: trunk(), user: 'bob', to: '+12065550143' })), undefined)
})

test('M2: a call forwarded to that mobile counts by the number that was sent', () => {
  const forwarded = { role: 'forward' as const, party: trunk(), user: 'bob', to: '+14255551002', sent: '12065550142' }
  assert.equal(said(answered(forwarded))?.user, 'alice')
})

test('M3: a call in from that mobile is certain only where the identity can be believed', () => {
  const incoming = (name: string) => said(answered({ role: 'caller', party: trunk(name), from: '12065550142' }, 0))
  assert.equal(incoming('itsp-a')?.confidence, 'likely')
  assert.equal(incoming('mobile-carrier')?.confidence, 'certain')
  assert.equal(incoming('itsp-a')?.user, 'alice')
})

test('an answer of the mobile sooner than 2 s is its voicemail and never shows on the phone', () => {
  const mobile = { role: 'mobile' as const, party: trunk(), user: 'alice' }
  assert.deepEqual(said(answered(mobile, 1999))?.activities, [])
  assert.deepEqual(said(answered(mobile, 2000))?.activities, ['on-the-phone'])
  const story = [
    said(answered(mobile, 900)),
    said({ kind: 'interim', leg: { ...leg({ ...mobile, seq: 4 }), durationMs: 60_000 } }),
  ]
  assert.equal(
    aggregate(
      story.filter((p) => p !== undefined),
      AT + 1,
    ).availability,
    'offline',
  )
})

test('a user’s own phone may answer as fast as it likes', () => {
  assert.deepEqual(said(answered({}, 5))?.activities, ['on-the-phone'])
})

test('a stranger’s trunk leg is nobody’s presence', () => {
  assert.equal(said(answered({ role: 'caller', party: trunk() })), undefined)
  assert.equal(said(answered({ party: { kind: 'unknown', address: '127.0.0.9' } })), undefined)
})

test('in whatever order the facts of a leg are heard, after the end nobody is on the phone', () => {
  const record: LegRecord = {
    ...leg({ seq: 5 }),
    ...{
      startedAt: '2026-11-23T09:59:00.000Z',
      endedAt: '2026-11-23T10:00:00.000Z',
      durationMs: 50_000,
      endedBy: 'caller',
    },
    ...{ sipStatus: 200, estimated: false },
  }
  const facts: LegFact[] = [
    { kind: 'ended', leg: record },
    { kind: 'started', leg: leg({ seq: 1 }) },
    { kind: 'interim', leg: { ...leg({ seq: 4 }), durationMs: 45_000 } },
    answered({ seq: 3 }),
    { kind: 'ringing', leg: leg({ seq: 2 }) },
  ]
  const publications = facts.map(said).filter((p) => p !== undefined)
  for (let i = 0; i < publications.length; i++) {
    const order = [...publications.slice(i), ...publications.slice(0, i)]
    assert.equal(aggregate(order, AT + 1).availability, 'offline')
    assert.equal(
      aggregate(
        order.filter((p) => !p.ended),
        AT + 1,
      ).availability,
      'busy',
    )
  }
})

test('the lease counts from the fact’s own time: a fact of an hour ago is dead on arrival', () => {
  const old = said(answered({ at: '2026-11-23T09:00:00.000Z' }))
  assert.equal(aggregate(old ? [old] : [], AT).availability, 'offline')
})

test('a binding makes its user available until it expires or is removed, in either order of arrival', () => {
  const binding = {
    ...{
      bindingId: 'b1',
      user: 'alice',
      contact: 'sip:alice@127.0.0.1',
      edge: 'e1',
      transport: 'udp',
      source: '127.0.0.1:5062',
    },
    ...{ site: 'hq', at: '2026-11-23T10:00:00.000Z', expiresAt: '2026-11-23T10:05:00.000Z' },
  }
  const bound = publicationOfBinding(binding, false)
  const removed = publicationOfBinding({ ...binding, at: '2026-11-23T10:00:10.000Z' }, true)
  assert.equal(aggregate([bound], AT + 1).availability, 'available')
  assert.equal(aggregate([bound], AT + 300_000).availability, 'offline')
  assert.equal(aggregate([removed, bound], AT + 11_000).availability, 'offline')
  assert.equal(publicationOfBinding({ ...binding, site: undefined as never }, false).device, 'remote')
})
