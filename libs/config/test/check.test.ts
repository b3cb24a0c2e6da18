import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { checkConfiguration, type Problem } from '../src/check.ts'
import type { Configuration } from '../src/defaults.ts'
import { schemaText } from '../src/schema-text.ts'

const acme = readFileSync(new URL('../../../examples/acme/tandem.yaml', import.meta.url), 'utf8')

function good(text: string): { configuration: Configuration; warnings: readonly Problem[] } {
  const checked = checkConfiguration({ files: [{ path: 'tandem.yaml', text }] })
  assert.equal(checked.kind, 'ok', JSON.stringify(checked, null, 1))
  return checked as Extract<typeof checked, { kind: 'ok' }>
}

/** The only problem of acme with `from` replaced by `to`, and its place proven to be where the text says. */
function wrong(from: string, to: string, marker: string): Problem {
  assert.ok(acme.includes(from), `acme has no ${from}`)
  const text = acme.replace(from, () => to)
  const checked = checkConfiguration({ files: [{ path: 'tandem.yaml', text }] })
  assert.equal(checked.kind, 'bad')
  const problem = checked.kind === 'bad' ? checked.problems[0] : undefined
  assert.ok(problem)
  const line = text.split('\n')[problem.line - 1] ?? ''
  assert.ok(
    line.slice(problem.column - 1).startsWith(marker),
    `${problem.line}:${problem.column} is at ${line.slice(problem.column - 1)}`,
  )
  assert.notEqual(problem.instead, '')
  return problem
}

test('the example of the enterprise is right and gives no warning', () => {
  assert.deepEqual(good(acme).warnings, [])
})

test('every example in the tree is right', () => {
  const folder = new URL('../../../examples/', import.meta.url)
  for (const name of readdirSync(folder)) good(readFileSync(new URL(`${name}/tandem.yaml`, folder), 'utf8'))
})

test('tandem.schema.json is current (node libs/config/scripts/write-schema.ts)', () => {
  const stored = readFileSync(new URL('../tandem.schema.json', import.meta.url), 'utf8')
  assert.deepEqual(JSON.parse(stored), JSON.parse(schemaText()))
})

test('defaults are filled in and units are in the names', () => {
  const { configuration: c } = good(acme)
  assert.deepEqual(c.trunks['itsp-a']?.retry, [408, 500, 502, 503, 504])
  assert.deepEqual(c.trunks['itsp-a']?.timers, { noResponseMs: 4000, tryingOnlyMs: 10_000 })
  assert.deepEqual(c.emergency.timers, { noResponseMs: 2000, tryingOnlyMs: 5000 })
  assert.equal(c.trunks['itsp-a']?.limits.bandwidthKbps, 9000)
  assert.equal(c.trunks['itsp-b']?.options.intervalMs, 30_000)
  assert.deepEqual(c.policies.executive?.ring, ['local', 'national', 'international'])
  assert.deepEqual(c.policies.staff?.forward, ['local'])
  assert.equal(c.prices.sales?.markup, '10')
  assert.deepEqual(c.trunks['itsp-b']?.credentials, { user: 'acme', password: { env: 'ITSP_B_PASSWORD' } })
  assert.equal(c.edge.listen.remote?.transport, 'tls')
  assert.equal(c.edge.media.lastPort, 20_999)
})

test('the configuration is frozen all the way down', () => {
  const { configuration } = good(acme)
  assert.throws(() => {
    ;(configuration.trunks['itsp-a'] as { listener: string }).listener = 'inside'
  }, TypeError)
})

const cases: readonly [name: string, from: string, to: string, marker: string, message: RegExp, instead: RegExp][] = [
  [
    'an unknown section is named with the nearest known one',
    '\nroutes:',
    '\nrotues:',
    'rotues',
    /unknown key rotues/,
    /Did you mean routes\?/,
  ],
  [
    'an unknown key is named with the nearest known one',
    'listener: carrier\n    translate',
    'listner: carrier\n    translate',
    'listner',
    /unknown key listner in trunks.itsp-a/,
    /Did you mean listener\?/,
  ],
  [
    'a missing key is said at the thing that lacks it',
    'site: hq, policy: staff',
    'site: hq',
    'bob:',
    /policy is missing in users.bob/,
    /Add policy/,
  ],
  [
    'a number that YAML reads as a number wants quotes',
    '["911", "112"]',
    '[911, "112"]',
    '911',
    /read as a number/,
    /"911"/,
  ],
  [
    'a literal password is refused and the reference is shown',
    '{ env: ALICE_PASSWORD }',
    'wonderland',
    'wonderland',
    /a secret is written into the file/,
    /\{ env: ALICE_PASSWORD \}/,
  ],
  [
    'a literal trunk password is refused and the reference is shown',
    '{ env: ITSP_B_PASSWORD }',
    'secret',
    'secret',
    /a secret is written into the file/,
    /\{ env: ITSP_B_PASSWORD \}/,
  ],
  ['a duration without a unit is refused', 'interval: 30s', 'interval: "30"', '"30"', /not a duration/, /30s/],
  ['a bandwidth in a wrong unit is refused', '9Mbit/s', '9MB/s', '9MB/s', /not a bandwidth/, /10Mbit\/s/],
  [
    'a DID that is not E.164 is refused',
    'did: "+14255551001"',
    'did: "4255551001"',
    '"4255551001"',
    /not a E.164 number/,
    /\+14255551001/,
  ],
  [
    'a list written as one value is shown as a list',
    'to: ["sip:127.0.0.1:5080"]',
    'to: "sip:127.0.0.1:5080"',
    '"sip:',
    /to is a list/,
    /\["sip:127.0.0.1:5080"\]/,
  ],
  [
    'a deck of an unknown kind is refused',
    'kind: per-minute',
    'kind: by-the-hour',
    'by-the-hour',
    /kind must be/,
    /per-minute/,
  ],
  ['tabs are said as tabs', '\npolicies:', '\n\tpolicies:', '\t', /not valid YAML/, /spaces, not tabs/],
  [
    'a section said twice in one file is refused',
    '\npolicies: ',
    '\nsites: {}\npolicies: ',
    'sites:',
    /said twice/,
    /Keep one/,
  ],
  [
    'a route names a trunk that is',
    'trunks: [itsp-b], select',
    'trunks: [itsp-bb], select',
    'itsp-bb',
    /there is no trunk itsp-bb/,
    /Did you mean itsp-b\?/,
  ],
  [
    'a user names a site that is',
    'site: hq, policy: staff',
    'site: hp, policy: staff',
    'hp',
    /there is no site hp/,
    /Did you mean hq\?/,
  ],
  [
    'a user names a policy that is',
    'policy: staff,',
    'policy: stuff,',
    'stuff',
    /there is no policy stuff/,
    /Did you mean staff\?/,
  ],
  [
    'a user names a location that is',
    'location: hq-2-201, costCentre',
    'location: hq-2-202, costCentre',
    'hq-2-202',
    /there is no location/,
    /hq-2-201/,
  ],
  [
    'a policy usage is in a route',
    'lobby:     { usages: [local] }',
    'lobby:     { usages: [locl] }',
    'locl',
    /no route with the PSTN usage locl/,
    /Did you mean local\?/,
  ],
  [
    'a wiremap names a location that is',
    '10.2.9.0/24, location: branch-floor',
    '10.2.9.0/24, location: branch',
    'branch',
    /there is no location branch/,
    /branch-floor/,
  ],
  [
    'a trunk names a rate deck that is',
    'cost: itsp-a-minutes',
    'cost: itsp-a-minute',
    'itsp-a-minute',
    /there is no rate deck/,
    /itsp-a-minutes/,
  ],
  [
    'a trunk names a listener that is',
    'listener: carrier\n    register',
    'listener: karrier\n    register',
    'karrier',
    /there is no listener/,
    /carrier/,
  ],
  [
    'a DID has one user',
    'did: "+14255551002"',
    'did: "+14255551001"',
    '"+14255551001"',
    /belongs to alice already/,
    /one user/,
  ],
  [
    'two listeners on one port clash',
    'tcp://127.0.0.1:5070',
    'tcp://127.0.0.1:5061',
    '"tcp:',
    /both listen on tcp port 5061/,
    /another port/,
  ],
  [
    'a listener within the media ports clashes',
    'ports: "20000-20999"',
    'ports: "5000-5999"',
    '"5000',
    /port 5060 of listener inside/,
    /Move/,
  ],
  [
    'a network that cannot be is refused',
    '10.2.0.0/16',
    '10.2.0.0/33',
    '"10.2.0.0/33"',
    /not a network/,
    /10\.1\.0\.0\/16/,
  ],
  [
    'a trunk whose calls nobody can tell is refused',
    '    from: ["127.0.0.1:5080"]  ',
    '#',
    'itsp-a',
    /neither from nor credentials/,
    /from: \["127\.0\.0\.1"\]/,
  ],
  [
    'two trunks that one digest user would mean are refused',
    '    from: ["127.0.0.1:5090"]\n    listener: carrier\n',
    '    authenticate: { user: pbx, password: { env: PBX } }\n    listener: carrier\n  itsp-c:\n    to: ["sip:127.0.0.1:5091"]\n    listener: carrier\n    authenticate: { user: pbx, password: { env: PBX } }\n  itsp-d:\n    to: ["sip:127.0.0.1:5092"]\n    from: ["127.0.0.2"]\n    listener: carrier\n',
    'pbx',
    /one digest user/,
    /user of its own/,
  ],
  [
    'a pattern that does not compile is refused',
    "'^(1\\d{3})$'",
    "'^(1\\d{3}$'",
    "'^(1",
    /cannot be used|does not compile/,
    /./,
  ],
  [
    'a look-ahead is refused with what to write',
    "match: '^\\+',",
    "match: '^(?!\\+1)\\+',",
    "'^(?!",
    /cannot be used/,
    /except/,
  ],
  [
    'a replacement names groups that are',
    "to: '+$1' }\n      - { name: international",
    "to: '+$2' }\n      - { name: international",
    "'+$2'",
    /uses \$2, but .* has one group/,
    /Use \$1/,
  ],
  [
    '911 must be among the emergency numbers of the US',
    '["911", "112"]',
    '["112"]',
    '["112"]',
    /911 does not reach/,
    /Add "911"/,
  ],
  [
    'an emergency trunk may carry emergency calls',
    'emergency: true\n    cost: itsp-a',
    'emergency: false\n    cost: itsp-a',
    'itsp-a',
    /may not carry emergency calls/,
    /emergency: true/,
  ],
  ['an ELIN belongs to nobody', '"+14255551901"', '"+14255551002"', '"+14255551002"', /DID of bob/, /nobody/],
  ['a time zone is one', 'America/Los_Angeles', 'America/Los_Angel', 'America', /not a time zone/, /IANA/],
  ['a test expects something', ', reject: 403 }', ' }', '{ from: bob', /expects nothing/, /reject/],
]
for (const [name, from, to, marker, message, instead] of cases) {
  test(name, () => {
    const problem = wrong(from, to, marker)
    assert.match(problem.message, message)
    assert.match(problem.instead, instead)
  })
}

test('no emergency trunk at all is refused: 911 would not get out', () => {
  const text = acme.replaceAll('emergency: true\n', 'emergency: false\n')
  const checked = checkConfiguration({ files: [{ path: 'tandem.yaml', text }] })
  assert.ok(checked.kind === 'bad' && checked.problems.some((p) => /would not get out/.test(p.message)))
})

test('an unanchored pattern is a warning, not a refusal', () => {
  const { warnings } = good(acme.replace("'^(\\d{7})$'", () => "'(\\d{7})$'"))
  assert.match(warnings[0]?.message ?? '', /not tied to the beginning/)
})

test('a folder of files is merged, maps key by key and lists one after the other', () => {
  const cut = acme.indexOf('\nusers:')
  const files = [
    { path: 'a.yaml', text: acme.slice(0, cut) },
    { path: 'b.yaml', text: acme.slice(cut) },
    {
      path: 'c.yaml',
      text: 'users:\n  carol: { did: "+14255551003", site: hq, policy: staff, password: { env: CAROL } }\n',
    },
    { path: 'd.yaml', text: 'tests:\n  - { from: carol, dial: "911", emergency: true }\n' },
  ]
  const checked = checkConfiguration({ files })
  assert.ok(checked.kind === 'ok', JSON.stringify(checked))
  assert.deepEqual(Object.keys(checked.configuration.users), ['alice', 'bob', 'carol'])
  assert.equal(checked.configuration.tests.length, 4)
})

test('a value said in two files is a problem of the second', () => {
  const checked = checkConfiguration({
    files: [
      { path: 'a.yaml', text: acme },
      { path: 'b.yaml', text: '# twice\ndomain: other.example\n' },
    ],
  })
  assert.ok(checked.kind === 'bad')
  const { file, line, column, message } = checked.problems[0] as Problem
  assert.deepEqual([file, line, column], ['b.yaml', 2, 1])
  assert.match(message, /domain is said twice, here and at a\.yaml:3/)
})

test('aliases of YAML are followed, and a bomb of them is refused', () => {
  const twice = acme
    .replace('password: { env: ALICE_PASSWORD }', 'password: &secret { env: ALICE_PASSWORD }')
    .replace('password: { env: BOB_PASSWORD }', 'password: *secret')
  assert.deepEqual(good(twice).configuration.users.bob?.password, { env: 'ALICE_PASSWORD' })
  const levels = Array.from({ length: 12 }, (_, i) => `l${i + 1}: &l${i + 1} [${Array(9).fill(`*l${i}`).join(', ')}]`)
  const bomb = `l0: &l0 [x]\n${levels.join('\n')}\n`
  assert.equal(checkConfiguration({ files: [{ path: 'bomb.yaml', text: bomb }] }).kind, 'bad')
})

test('nothing a person may write makes the check throw', () => {
  for (const text of [
    '',
    '# nothing',
    '[]',
    '- 1',
    'version: 1',
    '"',
    '{',
    '__proto__: 1',
    '? [a]\n: 1',
    'a: *b',
    '\u0000',
    'version: 1\nusers: 7',
    'users: { __proto__: {} }',
  ]) {
    const checked = checkConfiguration({ files: [{ path: 'x.yaml', text }] })
    assert.equal(checked.kind, 'bad', text)
  }
  assert.equal(checkConfiguration({ files: [] }).kind, 'bad')
})

test('a rate deck that is missing or wrong is said, with the line of the CSV', () => {
  const files = [{ path: 'tandem.yaml', text: acme }]
  const missing = checkConfiguration({ files, decks: {} })
  assert.ok(missing.kind === 'bad' && /there is no file rates\/itsp-a\.csv/.test(missing.problems[0]?.message ?? ''))
  const csv = 'prefix,name,connect,perMinute,from,to\n1,US,0,0.01,,\n44,UK,0,"0,02",,\n'
  const wrongPrice = checkConfiguration({ files, decks: { 'rates/itsp-a.csv': csv } })
  assert.ok(wrongPrice.kind === 'bad')
  const { file, line, message } = wrongPrice.problems[0] as Problem
  assert.deepEqual([file, line], ['rates/itsp-a.csv', 3])
  assert.match(message, /"0,02" is not a price/)
  const real = readFileSync(new URL('../../../examples/acme/rates/itsp-a.csv', import.meta.url), 'utf8')
  assert.equal(checkConfiguration({ files, decks: { 'rates/itsp-a.csv': real } }).kind, 'ok')
})

test('edge.capture: a collector by address or name, its password by reference only, its port and address checked', () => {
  const beside = 'edge:\n'
  const capture = (text: string) => `edge:\n  capture: ${text}\n`
  const { configuration: c } = good(acme.replace(beside, capture('{ hep: "udp://[2001:db8::9]:9060" }')))
  assert.deepEqual(c.edge.capture, { host: '2001:db8::9', port: 9060, id: 2001, password: null })
  assert.equal(good(acme).configuration.edge.capture, null)
  const port = wrong(beside, capture('{ hep: "udp://homer.example:90600" }'), '"udp://homer')
  assert.match(port.message, /90600 is not a port/)
  const address = wrong(beside, capture('{ hep: "udp://192.0.2.900:9060" }'), '"udp://192')
  assert.match(address.message, /192\.0\.2\.900 is not an IP address/)
  const secret = wrong(beside, capture('{ hep: "udp://homer.example:9060", password: abc }'), 'abc')
  assert.match(secret.instead, /env: EDGE_CAPTURE_PASSWORD/)
  assert.doesNotMatch(secret.message, /abc/)
})

test('a call cannot be told of less often than once a minute: presence and billing would take it for gone', () => {
  const problem = wrong('edge:\n', 'edge:\n  interim: 2m\n', '2m')
  assert.equal(problem.message, '2m: a call is told of every 60 s, or more often')
  assert.equal(problem.instead, 'Write 1s to 60s.')
})
