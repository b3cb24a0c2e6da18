import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LocateAnswer, LocateQuestion } from '@tandem/contracts/location.ts'
import { writePidfLo } from '@tandem/pidf/pidf-lo.ts'
import { type LastKnown, locate } from '../src/domain/locate-number.ts'
import { placesOf } from '../src/domain/places.ts'
import { acme } from './acme.ts'

const NOW = Date.parse('2026-11-23T18:00:00Z')
const places = placesOf(acme())
const nothing: LastKnown = { source: () => undefined, emergency: () => undefined }
const ask = (question: Partial<LocateQuestion>, known = nothing) =>
  locate({ purpose: 'emergency', ...question }, places, known, NOW)
const brief = (answer: LocateAnswer) =>
  answer.kind === 'found' ? [answer.place.ref ?? 'unnamed', answer.source, answer.routeClass] : ['unknown']
const desk = { user: 'alice', sourceAddress: '127.0.0.1' }

test('alice at her desk: her own room, straight to the PSAP, and the number to call back', () => {
  const answer = ask(desk)
  assert.deepEqual(brief(answer), ['hq-2-201', 'static', 'direct'])
  assert(answer.kind === 'found')
  assert.deepEqual([answer.user, answer.site, answer.callback], ['alice', 'hq', '+14255551001'])
  assert.equal(answer.determinedAt, '2026-11-23T18:00:00.000Z')
  assert.deepEqual(Object.keys(answer.place.civic ?? {}).slice(0, 4), ['country', 'A1', 'A3', 'PRD'])
})

test('given only the number, in any spelling, the answer is the same', () => {
  const known: LastKnown = {
    ...nothing,
    source: (u) => (u === 'alice' ? { address: '127.0.0.1:5062', at: NOW } : undefined),
  }
  const byName = ask({ purpose: 'query', user: 'alice' }, known)
  assert.deepEqual(brief(byName), ['hq-2-201', 'static', 'direct'])
  for (const number of ['+14255551001', '4255551001', '(425) 555-1001', '1001'])
    assert.deepEqual(ask({ purpose: 'query', number }, known), byName, number)
})

test('what the device reports beats her desk', () => {
  assert.deepEqual(brief(ask({ ...desk, wire: { chassis: '000a.959d.6816', port: 'Gi1/0/12' } })), [
    'hq-3',
    'port',
    'direct',
  ])
  assert.deepEqual(brief(ask({ ...desk, wire: { chassis: '000a.959d.6816', port: 'unknown' } })), [
    'hq-lobby',
    'chassis',
    'direct',
  ])
  assert.deepEqual(brief(ask({ ...desk, wire: { bssid: '0011.2233.4455', chassis: '000a.959d.6816' } })), [
    'hq-2-201',
    'bssid',
    'direct',
  ])
})

test('at another site it is that site’s place and never her desk', () => {
  assert.deepEqual(brief(ask({ user: 'alice', sourceAddress: '10.2.9.4' })), ['branch-9-1', 'subnet', 'direct'])
  assert.deepEqual(brief(ask({ user: 'alice', sourceAddress: '10.2.1.4' })), ['branch-floor', 'site', 'direct'])
  assert.deepEqual(brief(ask({ user: 'alice', sourceAddress: '2001:db8:2::9' })), ['branch-floor', 'site', 'direct'])
})

test('off-site without a device report: unknown and screened, never a false address', () => {
  const answer = ask({ user: 'alice', sourceAddress: '192.0.2.7' })
  assert(answer.kind === 'unknown')
  assert.deepEqual([answer.routeClass, answer.callback], ['screened', '+14255551001'])
})

test('off-site a wiremap report of ours still counts', () => {
  assert.deepEqual(brief(ask({ user: 'alice', sourceAddress: '192.0.2.7', wire: { bssid: '00:11:22:33:44:55' } })), [
    ...['hq-2-201', 'bssid', 'direct'],
  ])
})

test('without an assigned address it is the default of the site the call comes from', () => {
  assert.deepEqual(brief(ask({ user: 'bob', sourceAddress: '10.1.4.4' })), ['hq-lobby', 'site', 'direct'])
  assert.deepEqual(brief(ask({ user: 'bob', sourceAddress: '192.0.2.7' })), ['unknown'])
})

test('a site without networks cannot tell who is on it: the assigned address, screened', () => {
  assert.deepEqual(brief(ask({ user: 'carol', sourceAddress: '192.0.2.7' })), ['kiosk-1', 'static', 'screened'])
})

test('nobody knows where a user without registration is: the assigned address, screened', () => {
  assert.deepEqual(brief(ask({ purpose: 'query', user: 'alice' })), ['hq-2-201', 'static', 'screened'])
})

test('L7: an unregistered device on a trusted subnet has that subnet’s place', () => {
  assert.deepEqual(brief(ask({ sourceAddress: '10.2.9.9' })), ['branch-9-1', 'subnet', 'direct'])
  assert.deepEqual(brief(ask({ sourceAddress: '198.51.100.1' })), ['unknown'])
})

test('an ELIN leads to its location, or to the default of its site', () => {
  assert.deepEqual(brief(ask({ purpose: 'query', number: '+12125551900' })), ['branch-9-1', 'static', 'direct'])
  assert.deepEqual(brief(ask({ purpose: 'query', number: '4255551900' })), ['hq-lobby', 'site', 'direct'])
})

test('a number or user of nobody is unknown, with the reason', () => {
  const answer = ask({ purpose: 'query', number: '+14255559999' })
  assert(answer.kind === 'unknown')
  assert.match(answer.why, /nobody's number/)
  for (const user of ['mallory', 'constructor', '__proto__'])
    assert.equal(ask({ purpose: 'query', user }).kind, 'unknown')
  assert.equal(ask({}).kind, 'unknown')
})

test('during an emergency call a query gives the place that the PSAP got', () => {
  const during = ask({ user: 'alice', sourceAddress: '10.2.9.4' })
  const known: LastKnown = { ...nothing, emergency: (u) => (u === 'alice' ? during : undefined) }
  assert.deepEqual(ask({ purpose: 'query', number: '+14255551001' }, known), during)
  assert.deepEqual(brief(ask(desk, known)), ['hq-2-201', 'static', 'direct'])
})

test('a phone’s own PIDF-LO counts above the assigned address; measured goes direct, typed in is screened', () => {
  const document = (method: string) => {
    const written = writePidfLo({
      ...{ entity: 'sip:alice@acme.example', civic: { country: 'US', RD: 'Elm', HNO: '5' }, method },
      shape: { kind: 'circle', centre: { latitude: 47, longitude: -122 }, radius: 30 },
    })
    assert(written.kind === 'written')
    return written.xml
  }
  const answer = ask({ ...desk, pidfLo: document('DHCP') })
  assert(answer.kind === 'found')
  assert.deepEqual(answer.place, {
    civic: { country: 'US', RD: 'Elm', HNO: '5' },
    point: { latitude: 47, longitude: -122, radius: 30 },
  })
  assert.equal(answer.routeClass, 'direct')
  assert.deepEqual(brief(ask({ ...desk, pidfLo: document('Manual') })), ['unnamed', 'pidf-lo', 'screened'])
  assert.deepEqual(brief(ask({ sourceAddress: '10.1.1.1', pidfLo: document('DHCP') })), ['hq-lobby', 'site', 'direct'])
})

test('L5: a malformed location stops nothing: the answer is as if it were not there', () => {
  for (const pidfLo of [
    '',
    '\uFEFF',
    '<',
    '<presence/>',
    '<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>',
    'x'.repeat(65_536),
  ])
    assert.deepEqual(ask({ ...desk, pidfLo }), ask(desk))
})

test('a location with a point on Earth carries it', () => {
  const answer = ask({ ...desk, wire: { chassis: '000a959d6816', port: 'gi1/0/12' } })
  assert.deepEqual(answer.kind === 'found' && answer.place.point, { latitude: 47.64, longitude: -122.13, radius: 20 })
})
