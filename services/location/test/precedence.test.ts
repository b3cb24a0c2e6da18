import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { decidePlace, type Evidence, FIX_FRESH_MS } from '../src/domain/precedence.ts'
import { fixture } from './acme.ts'

const NOW = 1_000_000_000
const at = (ref: string) => ({ place: { ref }, at: NOW })
const all: Required<Evidence> = {
  ...{ bssid: at('bssid'), port: at('port'), chassis: at('chassis'), subnet: at('subnet'), mac: at('mac') },
  userConfirmed: at('user-confirmed'),
  osFix: { ...at('os-fix'), confirmed: true, edited: false },
  pidfLo: { ...at('pidf-lo'), trusted: true, measured: true },
  assigned: { ...at('static'), onSite: true },
  site: at('site'),
}
const order = [
  'bssid',
  'port',
  'chassis',
  'subnet',
  'mac',
  'userConfirmed',
  'osFix',
  'pidfLo',
  'assigned',
  'site',
] as const
const names = ['bssid', 'port', 'chassis', 'subnet', 'mac', 'user-confirmed', 'os-fix', 'pidf-lo', 'static', 'site']

test('L8: each rung beats all below it', () => {
  const decisions = order.map((_, i) =>
    decidePlace(Object.fromEntries(order.slice(i).map((k) => [k, all[k]])) as Evidence, NOW),
  )
  assert.deepEqual(
    decisions.map((d) => d.kind === 'found' && d.source),
    names,
  )
  assert.deepEqual(
    decisions.map((d) => d.kind === 'found' && d.place.ref),
    names,
  )
})

test('nothing known is unknown and not a guess', () => {
  assert.deepEqual(decidePlace({}, NOW), { kind: 'unknown', why: 'nothing is known about where the caller is' })
})

test('L8: off-site the assigned address is no answer; where nobody can tell, a person asks first', () => {
  const assigned = (onSite: boolean | undefined) => decidePlace({ assigned: { ...at('desk'), onSite } }, NOW)
  assert.equal(assigned(false).kind, 'unknown')
  const unsure = assigned(undefined)
  assert.deepEqual(unsure.kind === 'found' && [unsure.routeClass, unsure.confidence], ['screened', 0.4])
  const sure = assigned(true)
  assert.deepEqual(sure.kind === 'found' && [sure.routeClass, sure.confidence], ['direct', 0.6])
})

test('an old fix, and a document of a phone that nobody trusts, do not count', () => {
  const osFix = { ...at('fix'), at: NOW - FIX_FRESH_MS - 1, confirmed: true, edited: false }
  assert.equal(decidePlace({ osFix }, NOW).kind, 'unknown')
  assert.equal(decidePlace({ pidfLo: { ...at('phone'), trusted: false, measured: true } }, NOW).kind, 'unknown')
})

test('the route class of Microsoft’s table: defined by an administrator or confirmed goes direct, the rest is screened', () => {
  const classOf = (evidence: Evidence) => {
    const decision = decidePlace(evidence, NOW)
    return decision.kind === 'found' ? decision.routeClass : 'screened'
  }
  const rows: Record<string, Evidence> = {
    'dynamic, admin-defined': { subnet: at('x') },
    'OS, unconfirmed': { osFix: { ...at('x'), confirmed: false, edited: false } },
    'OS, user-confirmed': { osFix: { ...at('x'), confirmed: true, edited: false } },
    'OS, edited by user': { osFix: { ...at('x'), confirmed: true, edited: true } },
    'user-entered': { userConfirmed: at('x') },
    null: {},
  }
  const table = JSON.parse(fixture('lync/expected.json')).routing_class as { location: string | null; route: string }[]
  let checked = 0
  for (const { location, route } of table) {
    const evidence = rows[String(location)]
    // the static row depends on whether the caller is on the site: tested above
    if (!evidence) continue
    assert.equal(classOf(evidence), route.startsWith('direct') ? 'direct' : 'screened', String(location))
    checked++
  }
  assert.equal(checked, 6)
})

test('more evidence never makes the answer less certain than unknown', () => {
  const some = fc.subarray([...order]).map((keys) => Object.fromEntries(keys.map((k) => [k, all[k]])) as Evidence)
  fc.assert(
    fc.property(some, (evidence) => {
      const decision = decidePlace(evidence, NOW)
      assert.equal(decision.kind, Object.keys(evidence).length > 0 ? 'found' : 'unknown')
    }),
  )
})
