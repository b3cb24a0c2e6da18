import assert from 'node:assert/strict'
import { test } from 'node:test'
import { resolveConfiguration } from '@tandem/config/defaults.ts'
import type { ConfigurationDocument } from '@tandem/config/schema.ts'
import { blank, callIdOf } from '../src/domain/blank-message.ts'
import { identifyTrunk, type SourceFacts, trunkSources } from '../src/domain/identify-trunk.ts'
import { inNetwork, networkTable } from '../src/domain/networks.ts'
import { afterProbe, provesAlive, UNKNOWN_HEALTH } from '../src/domain/trunk-health.ts'
import { refreshAfterMs, retryAfterMs } from '../src/domain/trunk-registration.ts'
import { testConfiguration } from './start-edge.ts'

type Trunk = ConfigurationDocument['trunks'][string]
const trunk = (more: Partial<Trunk>): Trunk => ({ to: ['sip:192.0.2.1'], listener: 'carrier', ...more })
const trunks = resolveConfiguration(
  testConfiguration({
    trunks: {
      exact: trunk({ from: ['192.0.2.1:5080'] }),
      host: trunk({ from: ['192.0.2.1'] }),
      net: trunk({ from: ['192.0.2.0/24'] }),
      six: trunk({ from: ['2001:db8::/32', '[2001:db8::7]:5090'] }),
      inside: trunk({ from: ['192.0.2.1'], listener: 'inside' }),
      'shared-a': trunk({ from: ['198.51.100.1'], to: ['sip:a.carrier.example'] }),
      'shared-b': trunk({
        from: ['198.51.100.1'],
        to: ['sip:b.carrier.example'],
        register: { registrar: 'sip:b.carrier.example', user: 'acme-b', password: { env: 'B' } },
      }),
      'shared-c': trunk({
        from: ['198.51.100.1'],
        to: ['sip:c.carrier.example'],
        numbers: ['+14255559000', '+1425777'],
      }),
      'shared-d': trunk({
        from: ['198.51.100.1'],
        to: ['sip:d.carrier.example'],
        numbers: ['+14257771', '+4420'],
        hosts: ['Acme-D.carrier.example'],
        did: 'to',
      }),
      'shared-e': trunk({ from: ['198.51.100.1'], to: ['sip:e.carrier.example'], numbers: ['+4420'], country: 'GB' }),
    },
  }),
).trunks
const sources = trunkSources(Object.values(trunks), (listener) => (listener === 'carrier' ? ['carrier-tcp'] : []))

const shared = { address: '198.51.100.1' }
const table: [name: string, facts: Partial<SourceFacts>, expected: string][] = [
  ['an address with its port is closest', { port: 5080 }, 'exact'],
  ['an address is closer than its network', { port: 5060 }, 'host'],
  ['a network holds the rest', { address: '192.0.2.9' }, 'net'],
  [
    'the twin of the listener on another transport is the same trunk',
    { listener: 'carrier-tcp', port: 40_000 },
    'host',
  ],
  ['another listener is another trunk', { listener: 'inside' }, 'inside'],
  ['IPv6 networks', { address: '2001:db8::1' }, 'six'],
  ['an IPv4 address in IPv6 clothes', { address: '::ffff:192.0.2.9' }, 'net'],
  ['nobody', { address: '203.0.113.1' }, 'stranger'],
  ['nobody on this listener', { listener: 'remote' }, 'stranger'],
  ['one address of several trunks, and nothing tells them apart', { address: '198.51.100.1' }, 'ambiguous'],
  ['told apart by the DID', { ...shared, called: { 'request-uri': '+14255559000' } }, 'shared-c'],
  [
    'the DID goes before the host',
    { ...shared, called: { 'request-uri': '+14255559000' }, host: 'a.carrier.example' },
    'shared-c',
  ],
  [
    'a DID is read with the country of the trunk that asks',
    { ...shared, called: { 'request-uri': '4255559000' } },
    'shared-c',
  ],
  ['a beginning of DIDs', { ...shared, called: { 'request-uri': '+14257770123' } }, 'shared-c'],
  [
    'the longest beginning wins',
    { ...shared, called: { 'request-uri': '+14257771000', to: '+14257771000' } },
    'shared-d',
  ],
  ['the DID is read where its carrier writes it', { ...shared, called: { to: '14257771000' } }, 'shared-d'],
  ['a national DID of another country', { ...shared, called: { 'request-uri': '02079460000' } }, 'shared-e'],
  [
    'a DID of two trunks leaves these two',
    { ...shared, called: { 'request-uri': '+442079460000', to: '+442079460000' }, host: 'a.carrier.example' },
    'ambiguous',
  ],
  [
    'a DID of two trunks, then the host',
    { ...shared, called: { 'request-uri': '+442079460000', to: '+442079460000' }, host: 'acme-d.carrier.example' },
    'shared-d',
  ],
  ['a DID of none, then the account', { ...shared, called: { to: '+19995550100' }, accounts: ['acme-b'] }, 'shared-b'],
  ['told apart by the host', { address: '198.51.100.1', host: 'a.carrier.example' }, 'shared-a'],
  ['told apart by the account', { address: '198.51.100.1', accounts: ['acme-b'] }, 'shared-b'],
  [
    'headers of a stranger tell nothing',
    { address: '203.0.113.1', host: 'a.carrier.example', accounts: ['acme-b'] },
    'stranger',
  ],
]
for (const [name, facts, expected] of table) {
  test(`who is it: ${name}`, () => {
    const all = { listener: 'carrier', address: '192.0.2.1', port: 5060, called: {}, host: undefined, accounts: [] }
    const identity = identifyTrunk(sources, { ...all, ...facts })
    assert.equal(identity.kind === 'trunk' ? identity.trunk : identity.kind, expected)
  })
}

test('the most specific network names the site', () => {
  const sites = networkTable([
    ['10.0.0.0/8', 'company'],
    ['10.1.0.0/16', 'hq'],
    ['10.1.2.3', 'lobby'],
    ['2001:db8:1::/48', 'branch'],
    ['0.0.0.0/0', 'anywhere'],
    ['not a network', 'never'],
  ])
  const found = ['10.1.2.3', '10.1.2.4', '10.2.0.1', '192.0.2.1', '2001:db8:1::5', '2001:db8:2::5', 'rubbish'].map(
    (a) => sites.find(a),
  )
  assert.deepEqual(found, ['lobby', 'hq', 'company', 'anywhere', 'branch', undefined, undefined])
  assert.ok(inNetwork('127.0.0.1', '127.0.0.1/32'))
  assert.ok(!inNetwork('127.0.0.2', '127.0.0.1/32'))
})

test('a trunk goes up and down by answers and silences in a row', () => {
  const walk = (probes: string, up: number, down: number) => {
    let state = UNKNOWN_HEALTH
    return [...probes].map((p) => {
      state = afterProbe(state, p === '+', { up, down })
      return state.health
    })
  }
  assert.deepEqual(walk('+-+--+', 1, 2), ['up', 'probing', 'up', 'probing', 'down', 'up'])
  assert.deepEqual(walk('++-+++', 2, 1), ['probing', 'up', 'down', 'probing', 'up', 'up'])
  assert.deepEqual(walk('---', 1, 3), ['probing', 'probing', 'down'])
  assert.ok(provesAlive(404, []) && provesAlive(503, []) && !provesAlive(180, []))
  assert.ok(provesAlive(200, [200]) && !provesAlive(503, [200]))
})

test('a registration is refreshed in time and retried with patience', () => {
  assert.equal(refreshAfterMs(600), 480_000)
  assert.equal(refreshAfterMs(3600), 2_880_000)
  assert.equal(refreshAfterMs(20), 15_000)
  assert.equal(refreshAfterMs(4), 2_000)
  const retry = (failures: number, status: number | undefined, random = 1, retryAfterS?: number) =>
    retryAfterMs({ failures, status, retryAfterS, random })
  assert.deepEqual(
    [1, 2, 3, 20].map((n) => retry(n, undefined)),
    [2_000, 4_000, 8_000, 300_000],
  )
  assert.equal(retry(1, undefined, 0), 1_000, 'half of it at least')
  assert.equal(retry(1, 403), 60_000)
  assert.equal(retry(1, 503, 1, 17), 17_000)
})

test('a captured message shows no credentials, no keys and no place', () => {
  const text = [
    'INVITE sip:911@x SIP/2.0',
    'Call-ID: abc@h',
    'Proxy-Authorization: Digest username="a",',
    ' response="secret"',
    'i: not this one',
    '',
    'a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:KEYKEY|2^20',
    '<?xml version="1.0"?><pres:presence xmlns:pres="x" xmlns:gp="urn:ietf:params:xml:ns:pidf:geopriv10"><gp:geopriv>Redmond</gp:geopriv></pres:presence>',
  ].join('\r\n')
  const shown = blank(text)
  assert.doesNotMatch(shown, /secret|KEYKEY|Redmond/)
  assert.match(shown, /Proxy-Authorization: Digest \[left out\]\r\ni: not this one/)
  assert.match(shown, /\[location left out\]/)
  assert.match(blank('<presence xmlns="y"><basic>open</basic></presence>'), /open/)
  assert.equal(callIdOf(Buffer.from(text)), 'abc@h')
  assert.equal(callIdOf(Buffer.from('BYE sip:x SIP/2.0\r\nI : compact\r\n\r\ni: body')), 'compact')
  assert.equal(callIdOf(Buffer.from('BYE sip:x SIP/2.0\r\n\r\nCall-ID: body')), undefined)
})
