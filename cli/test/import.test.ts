import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { checkConfiguration } from '@tandem/config/check.ts'
import { readExport } from '../src/import/export-file.ts'
import { importLync } from '../src/import/lync.ts'
import type { SourceRow } from '../src/import/making.ts'

const exports = fileURLToPath(new URL('exports/', import.meta.url))
const root = fileURLToPath(new URL('../../', import.meta.url))
const tandem = fileURLToPath(new URL('../bin/tandem.mjs', import.meta.url))
const acme = join(root, 'examples/acme/tandem.yaml')

function rowsOf(...files: string[]): SourceRow[] {
  return files.flatMap((file) => {
    const read = readExport(readFileSync(join(exports, file)))
    assert.ok(read.kind === 'rows', JSON.stringify(read))
    return read.rows.map((row) => ({ ...row, file }))
  })
}
const options = { country: 'US', listener: 'carrier', trunks: new Set<string>(), from: {} }
const rowsIn = (text: string, file = 'x') => {
  const read = readExport(new TextEncoder().encode(text))
  assert.ok(read.kind === 'rows', JSON.stringify(read))
  return read.rows.map((row) => ({ ...row, file }))
}
const gateways = ['red-gw1.contoso.net', 'red-gw2.contoso.net', 'dallas-gw1.contoso.net']
function target(): string {
  const file = join(mkdtempSync(join(tmpdir(), 'tandem-import-')), 'tandem.yaml')
  copyFileSync(acme, file)
  return file
}
function run(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [tandem, 'import', ...args], {
    ...{ cwd: exports, env: { ...process.env, NO_COLOR: '1' }, encoding: 'utf8' },
  })
  return { status, stdout, stderr }
}

test('a Clixml of dial plans gives their rules, prefix and scope, also where an object is only referred to', () => {
  const { sections, errors } = importLync(rowsOf('dial-plans.xml'), options)
  assert.deepEqual(errors, [])
  const rules = [
    { name: '4-digit-extension', match: '^(\\d{4})$', to: '+1425555$1', internal: true },
    { name: '7digitcallingRedmond', match: '^(\\d{7})$', to: '+1425$1' },
    { name: 'LD-Calling-US', match: '^1(\\d{10})$', to: '+1$1' },
  ]
  assert.deepEqual(sections.dialPlans, { Redmond: { externalPrefix: '9', rules }, 'Sales-Force': { rules } })
  assert.deepEqual(sections.siteDialPlans, { Redmond: 'Redmond' })
})

test('routes come in the order of their priority, with gateways as trunks; one that takes nothing is left out with a word', () => {
  const from = Object.fromEntries(gateways.map((gateway) => [gateway, ['192.0.2.10']]))
  const { sections, errors, notes } = importLync(rowsOf('routes.json', 'gateways.csv', 'policies.json'), {
    ...options,
    from,
  })
  assert.deepEqual(errors, [])
  assert.deepEqual(
    sections.routes.map(({ name, usages, trunks }) => `${name} | ${usages.join(' ')} | ${trunks.join(' ')}`),
    [
      'Redmond-Local | Local Redmond-Local | red-gw1.contoso.net red-gw2.contoso.net',
      'Dallas-Local | Local | dallas-gw1.contoso.net',
      'Universal | Global-PSTN-Hopoff | red-gw1.contoso.net red-gw2.contoso.net dallas-gw1.contoso.net',
      'Dallas-Users | Dallas-Users | dallas-gw1.contoso.net',
    ],
  )
  assert.match(notes.find(({ what }) => what === 'route global')?.message ?? '', /takes no call and is left out/)
  assert.deepEqual(sections.trunks['red-gw1.contoso.net']?.to, ['sip:red-gw1.contoso.net:5066;transport=tcp'])
})

test('policies keep the order of usages, and the usages of forwarding and simultaneous ring apart', () => {
  const { sections } = importLync(rowsOf('policies.json'), options)
  assert.deepEqual(sections.policies, {
    global: { usages: ['Local', 'Global-PSTN-Hopoff'] },
    RedmondLocal: { usages: ['Redmond-Local'], forward: ['Local'], ring: [] },
    Dallas: { usages: ['Dallas-Users', 'Global-PSTN-Hopoff'], forward: [], ring: [] },
  })
})

test('Teams: gateways with their number translations, online routes and routing policies', () => {
  const { sections, errors } = importLync(rowsOf('teams.json'), {
    ...options,
    from: { 'sbc1.contoso.com': ['192.0.2.20', '192.0.2.21'] },
  })
  assert.deepEqual(errors, [])
  const [add, strip] = [
    { name: 'AddPlus1', match: '^(\\d{10})$', to: '+1$1' },
    { name: 'StripPlus1', match: '^\\+1(\\d{10})$', to: '$1' },
  ]
  assert.deepEqual(sections.trunks['sbc1.contoso.com'], {
    ...{
      to: ['sip:sbc1.contoso.com:5067;transport=tls'],
      from: ['192.0.2.20', '192.0.2.21'],
      listener: 'carrier',
      options: { interval: '60s' },
    },
    ...{ limits: { calls: 100 }, trusted: true },
    translate: { outbound: { called: [strip], calling: [strip] }, inbound: { called: [add], calling: [add] } },
  })
  assert.deepEqual(sections.policies, { 'US-Only': { usages: ['US-and-Canada'] } })
})

test('rules as a CSV of their own go to the dial plan that their identity names', () => {
  const csv = `Identity,Priority,Description,Pattern,Translation,Name,IsInternalExtension
Site:Redmond/second,1,,^(\\d{10})$,+1$1,second,False
Site:Redmond/first,0,,^(\\d{7})$,+1425$1,first,False
Global/all,0,,^(\\d{11})$,+$1,all,False`
  const { sections } = importLync(rowsIn(csv), options)
  assert.deepEqual(
    sections.dialPlans.Redmond?.rules.map(({ name }) => name),
    ['first', 'second'],
  )
  assert.equal(sections.dialPlan, 'global')
})

test('the dial plan of a registrar pool becomes that of a pool, the one of a gateway that of its trunk', () => {
  const plan = (Identity: string) => ({
    Identity,
    NormalizationRules: [{ Name: 'r', Pattern: '^(\\d{10})$', Translation: '+1$1' }],
  })
  const rows = [
    { Identity: 'PstnGateway:192.0.2.7', PoolFqdn: '192.0.2.7', GatewaySipClientTcpPort: 5066 },
    plan('Service:Registrar:pool01.contoso.net'),
    plan('Service:PstnGateway:192.0.2.7'),
  ]
  const { sections, errors } = importLync(rowsIn(JSON.stringify(rows)), options)
  assert.deepEqual(errors, [])
  assert.deepEqual(sections.pools, { 'pool01.contoso.net': { dialPlan: 'pool01.contoso.net' } })
  assert.equal(sections.trunks['192.0.2.7']?.dialPlan, '192.0.2.7')
})

test('Windows PowerShell writes UTF-16, which is read too', () => {
  const text = readFileSync(join(exports, 'dial-plans.xml'), 'utf8')
  const read = readExport(Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(text, 'utf16le')]))
  assert.ok(read.kind === 'rows')
  assert.equal(read.rows[0]?.values.Description, 'Redmond & Bellevue\nsecond line')
})

test('what is no export is refused with what to do; entities are never expanded', () => {
  const bad = (text: string) => {
    const read = readExport(new TextEncoder().encode(text))
    assert.ok(read.kind === 'bad')
    return `${read.message} ${read.instead}`
  }
  assert.match(bad('<html><body/></html>'), /not of Export-Clixml/)
  assert.match(bad('{"a": '), /cannot be read.*Export-Clixml/)
  assert.match(bad('[1, 2]'), /not a list of objects/)
  assert.match(bad('<!DOCTYPE Objs [<!ENTITY a "aaaa">]><Objs><S>&a;</S></Objs>'), /DOCTYPE|doctype/)
})

test('a row that cannot be taken over says which, why and what to write', () => {
  const route = { Name: 'No 900', PstnUsages: ['Local'], PstnGatewayList: ['PstnGateway:gw'] }
  const { errors } = importLync(
    rowsIn(
      JSON.stringify([
        { ...route, NumberPattern: '^\\+1(?!900)(\\d{10})$' },
        { ...route, Name: 'Elsewhere', NumberPattern: '^\\+44', PstnGatewayList: ['PstnGateway:nowhere'] },
        { Identity: 'Site:A', NormalizationRules: [{ Name: 'r', Pattern: '^(\\d{4})$', Translation: '+1$2' }] },
        { Identity: 'Site:B', NormalizationRules: 'System.Collections.Generic.List`1[…]' },
        { Identity: 'Site:C', ExternalAccessPrefix: '12345', NormalizationRules: [] },
        { Colour: 'blue' },
        { Identity: 'sbc9.contoso.com', Fqdn: 'sbc9.contoso.com', SipSignalingPort: 5061 },
      ]),
      'lync.json',
    ),
    { ...options, trunks: new Set(['gw']) },
  )
  const told = errors.map(({ file, row, what, message, instead }) => `${file}:${row} ${what}: ${message}. ${instead}`)
  assert.equal(told.length, 7, told.join('\n'))
  const matching = (pattern: RegExp) =>
    assert.ok(
      told.some((line) => pattern.test(line)),
      `${pattern}: ${told.join('\n')}`,
    )
  matching(/^lync\.json:1 route No 900: .*look-ahead is not available.*except: \['\^\\\+1900'\]/)
  matching(/^lync\.json:2 route Elsewhere: there is no trunk nowhere\. Import the gateways too/)
  matching(/^lync\.json:3 dial plan Site:A, rule r: .*\$2, but .* has one group/)
  matching(/^lync\.json:4 dial plan Site:B: the CSV has lost its rules\. Export it with Export-Clixml/)
  matching(/^lync\.json:5 dial plan Site:C: the prefix 12345 is not at most four of #\*0-9/)
  matching(/^lync\.json:7 trunk sbc9\.contoso\.com: .*--from sbc9\.contoso\.com=192\.0\.2\.10/)
  matching(/^lync\.json:6 row: it is of no kind that is known/)
})

test('import lync puts everything into the file; not a letter of what was there changes, and the result is right', () => {
  const file = target()
  const before = readFileSync(file, 'utf8')
  const { status, stdout, stderr } = run(
    ...[
      'lync',
      'dial-plans.xml',
      'policies.json',
      'routes.json',
      'gateways.csv',
      '--into',
      file,
      '--listener',
      'carrier-tcp',
      ...gateways.flatMap((gateway, i) => ['--from', `${gateway}=192.0.2.1${i}`]),
    ],
  )
  assert.equal(status, 0, stdout + stderr)
  assert.match(stdout, /2 dial plans, 6 rules, 3 policies, 4 routes, 3 trunks put into/)
  const after = readFileSync(file, 'utf8')
  const added = new Set(after.split('\n'))
  for (const line of before.split('\n')) assert.ok(added.has(line), `changed: ${line}`)
  const checked = checkConfiguration({ files: [{ path: file, text: after }] })
  assert.ok(checked.kind === 'ok', JSON.stringify(checked.kind === 'bad' && checked.problems))
  const { routes, dialPlans, trunks, policies } = checked.configuration
  assert.deepEqual(routes.map(({ name }) => name).slice(-4), [
    'Redmond-Local',
    'Dallas-Local',
    'Universal',
    'Dallas-Users',
  ])
  assert.equal(dialPlans.Redmond?.rules[0]?.internal, true)
  assert.equal(trunks['dallas-gw1.contoso.net']?.listener, 'carrier-tcp')
  assert.deepEqual(policies.Dallas?.forward, [])
})

const sbc = 'sbc1.contoso.com=192.0.2.20'
test('a dry run writes nothing and shows what it would put in; a second import meets what is there', () => {
  const file = target()
  const before = readFileSync(file, 'utf8')
  const dry = run('lync', 'teams.json', '--into', file, '--listener', 'carrier-tcp', '--from', sbc, '--dry-run')
  assert.equal(dry.status, 0, dry.stdout + dry.stderr)
  assert.match(dry.stdout, /match: '\^\\\+1\(425\|206\)\(\\d\{7\}\)\$'/)
  assert.match(dry.stdout, /1 policy, 1 route, 1 trunk would be put in \(--dry-run\)/)
  assert.equal(readFileSync(file, 'utf8'), before)
  assert.equal(run('lync', 'teams.json', '--into', file, '--listener', 'carrier-tcp', '--from', sbc).status, 0)
  const again = run('lync', 'teams.json', '--into', file, '--listener', 'carrier-tcp', '--from', sbc)
  assert.equal(again.status, 1)
  assert.match(again.stdout, /tandem\.yaml:\d+ {2}trunks\.sbc1\.contoso\.com: it is there already/)
  assert.match(again.stdout, /nothing was written/)
})

test('import dids takes a list however the carrier wrote it, whole or not at all', () => {
  const file = target()
  const list = join(file, '../numbers.csv')
  writeFileSync(
    list,
    `Telephone Number,Assigned To,Status
`
      .replace('Telephone Number', 'number')
      .replace('Assigned To', 'user')
      .replace('Status', 'state') +
      `(425) 555-1701,bob,
tel:+14255551702;ext=1702,,reserved
14255551703,,
+14255552000-+14255552099,,
`,
  )
  const { status, stdout, stderr } = run('dids', list, '--into', file)
  assert.equal(status, 0, stdout + stderr)
  const checked = checkConfiguration({ files: [{ path: file, text: readFileSync(file, 'utf8') }] })
  assert.ok(checked.kind === 'ok', JSON.stringify(checked))
  assert.deepEqual(
    checked.configuration.numbers.slice(-4).map(({ first, last, user, reserved }) => [first, last, user, reserved]),
    [
      ['+14255551701', '+14255551701', 'bob', false],
      ['+14255551702', '+14255551702', null, true],
      ['+14255551703', '+14255551703', null, false],
      ['+14255552000', '+14255552099', null, false],
    ],
  )
  writeFileSync(
    list,
    'number,user,failover\n+14255551801,,\n12,,\n+14255551802,mallory,\n+14255551701,,\n+14255551001,bob,\n+14255551803,,+442079460000\n',
  )
  const before = readFileSync(file, 'utf8')
  const wrong = run('dids', list, '--into', file)
  assert.equal(wrong.status, 1)
  for (const said of [
    /numbers\.csv:3 {2}12: there is no full number in it/,
    /numbers\.csv:4 {2}\+14255551802: there is no user mallory/,
    /numbers\.csv:5 {2}\+14255551701: \+14255551701 is there already, in the file/,
    /numbers\.csv:6 {2}\+14255551001: \+14255551001 is the DID of alice/,
    /numbers\.csv:7 {2}\+14255551803: nothing says by which usages/,
  ])
    assert.match(wrong.stdout, said)
  assert.equal(readFileSync(file, 'utf8'), before, 'nothing of it is written')
})
