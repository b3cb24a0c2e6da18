import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CivicAddress } from '@tandem/pidf/civic.ts'
import { type LyncKind, readLyncTable } from '../src/domain/lync-table.ts'
import { networkTable, readAddress } from '../src/domain/network-table.ts'
import { decidePlace, type Evidence } from '../src/domain/precedence.ts'
import { macOf } from '../src/domain/wire-address.ts'
import { wiremapOf } from '../src/domain/wiremap.ts'
import { fixture } from './acme.ts'

const expected = JSON.parse(fixture('lync/expected.json')) as {
  precedence: { in: { bssid?: string; chassis?: string; port?: string; subnet?: string }; hit: string | null }[]
  bssid_spelling_equivalents: string[]
}

test('a BSSID is the same in every spelling', () => {
  const map = wiremapOf([{ bssid: expected.bssid_spelling_equivalents[0] as string, location: 'here' }])
  for (const written of expected.bssid_spelling_equivalents) assert.equal(map.bssid(written), 'here', written)
  assert.equal(new Set(expected.bssid_spelling_equivalents.map(macOf)).size, 1)
  for (const wrong of ['', '*', '0A-23-CD-16-AA', '0A-23-CD-16-AA-2E-FF', 'ZA-23-CD-16-AA-2E'])
    assert.equal(map.bssid(wrong), undefined)
})

test('a BSSID with a wildcard covers the radios of one access point; the longer beginning wins', () => {
  const map = wiremapOf([
    { bssid: '0A-23-CD-*', location: 'floor' },
    { bssid: '0a:23:cd:16:aa:2*', location: 'room' },
    { bssid: '0A23CD16AA2E', location: 'desk' },
  ])
  assert.equal(map.bssid('0A-23-CD-16-AA-2E'), 'desk')
  assert.equal(map.bssid('0A-23-CD-16-AA-2F'), 'room')
  assert.equal(map.bssid('0A-23-CD-16-AA-3F'), 'floor')
  assert.equal(map.bssid('0A-23-CE-16-AA-3F'), undefined)
})

test('chassis and port are found in any spelling, the first of two equal rows counts', () => {
  const map = wiremapOf([
    { chassis: '00:0a:95:9d:68:16', port: 'Gi1/0/12', location: 'one' },
    { chassis: '000A.959D.6816', port: 'gi1/0/12', location: 'two' },
    { chassis: 'Switch-7', location: 'three' },
  ])
  assert.equal(map.port('00-0A-95-9D-68-16', ' gi1/0/12 '), 'one')
  assert.equal(map.chassis('switch-7'), 'three')
  assert.equal(map.chassis('00:0a:95:9d:68:16'), undefined)
})

test('the most specific subnet wins, for IPv4 and IPv6, and IPv4 inside IPv6 is IPv4', () => {
  const table = networkTable([
    ['10.0.0.0/8', 'wide'],
    ['10.2.9.0/24', 'narrow'],
    ['10.2.9.7', 'one'],
    ['10.2.8.0/22', 'middle'],
    ['2001:db8::/32', 'six'],
    ['0.0.0.0/0', 'all'],
  ])
  const cases: Record<string, string | undefined> = {
    '10.2.9.8': 'narrow',
    '10.2.9.7': 'one',
    '10.2.11.255': 'middle',
    '10.2.12.0': 'wide',
    '::ffff:10.2.9.8': 'narrow',
    '10.2.9.8:5060': 'narrow',
    '[2001:db8::1]:5060': 'six',
    '192.0.2.1': 'all',
    '2001:db9::1': undefined,
    nonsense: undefined,
    '': undefined,
  }
  for (const [address, value] of Object.entries(cases)) assert.equal(table.find(address), value, address)
  assert.equal(readAddress('10'), undefined)
  assert.equal(readAddress('10.2.9.999'), undefined)
})

test('a bad row is named and the others still count', () => {
  const map = wiremapOf([
    { bssid: 'nonsense', location: 'x' },
    { location: 'y' },
    { subnet: '10.0.0.0/8', location: 'z' },
  ])
  assert.deepEqual(
    map.bad.map((b) => b.row),
    [0, 1],
  )
  assert.equal(map.subnet('10.1.1.1'), 'z')
})

test('MS-E911WS 3.1.4.1: the cases of Lync’s documentation, from its own CSV files', () => {
  const kinds: LyncKind[] = ['waps', 'ports', 'switches', 'subnets']
  const tables = kinds.map((kind) => ({ kind, table: readLyncTable(kind, fixture(`lync/${kind}.csv`)) }))
  for (const { table } of tables) assert.deepEqual(table.problems, [])
  const named = (kind: string) => (i: number) => `${kind}.csv row ${i + 1}`
  const map = wiremapOf(
    tables.flatMap(({ kind, table }) => table.rows.map((r, i) => ({ ...r.wire, location: named(kind)(i) }))),
  )
  const found = (ref: string | undefined) => (ref === undefined ? undefined : { place: { ref }, at: 0 })
  for (const { in: report, hit } of expected.precedence) {
    const evidence = Object.fromEntries(
      Object.entries({
        bssid: found(report.bssid && map.bssid(report.bssid)),
        port: found(report.chassis && report.port && map.port(report.chassis, report.port)),
        chassis: found(report.chassis && map.chassis(report.chassis)),
        subnet: found(report.subnet && map.subnet(report.subnet)),
      }).filter(([, value]) => value !== undefined),
    ) as Evidence
    const decision = decidePlace(evidence, 0)
    assert.equal(decision.kind === 'found' ? decision.place.ref : null, hit, JSON.stringify(report))
  }
})

test('Lync’s columns become RFC 5139 fields, nothing is cut', () => {
  const [row] = readLyncTable('subnets', fixture('lync/subnets.csv')).rows
  assert.deepEqual(row?.wire.location satisfies CivicAddress | undefined, {
    ...{ country: 'US', A1: 'WA', A3: 'Redmond', RD: '163rd', STS: 'Ave', POD: 'NE', HNO: '1234', LOC: 'Location1' },
    ...{ NAM: '425-555-0100; 425-555-0200; 425-555-0300', PC: '99123' },
  })
})

test('each bad row of a CSV has its line and reason, the good ones are taken', () => {
  const csv = `\uFEFFBSSID,Description,Location,City,State,Country
0A-23-CD-16-AA-2E,ok,Lobby,Redmond,WA,US
nonsense,bad,Lobby,Redmond,WA,US
0A-23-CD-16-AA-*,bad country,Lobby,Redmond,WA,USA
`
  const { rows, problems } = readLyncTable('waps', csv)
  assert.deepEqual(
    rows.map((r) => r.line),
    [2],
  )
  assert.deepEqual(problems, [
    { line: 3, problem: 'nonsense is no BSSID' },
    { line: 4, problem: 'country: bad-country' },
  ])
  assert.equal(readLyncTable('subnets', 'Subnet,Country\n10.1.2.3,US\n10.1.0.0/16,US\n').problems.length, 1)
  assert.equal(readLyncTable('waps', 'a,b\n"unclosed').problems.length, 1)
})
