/** The documented failover example of Lync, exported, imported by `tandem import lync`, and decided as documented. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { checkConfiguration } from '@tandem/config/check.ts'
import { compileTable } from '@tandem/routing/domain/compile-table.ts'
import { selectTrunks } from '@tandem/routing/domain/select-trunks.ts'
import { readExport } from '../../../cli/src/import/export-file.ts'
import { mergeInto, type NewEntries } from '../../../cli/src/import/into-yaml.ts'
import { importLync } from '../../../cli/src/import/lync.ts'

const cases = JSON.parse(readFileSync(new URL('cases.json', import.meta.url), 'utf8')).routing.lync_failover_example
  .cases as { policy: string; number: string; candidates: [string, string[]][] }[]
const exports = new URL('../../../cli/test/exports/', import.meta.url)
const rows = ['policies.json', 'routes.json', 'gateways.csv'].flatMap((file) => {
  const read = readExport(readFileSync(new URL(file, exports)))
  assert.ok(read.kind === 'rows')
  return read.rows.map((row) => ({ ...row, file }))
})
const gateways = ['red-gw1', 'red-gw2', 'dallas-gw1'].map((name, i) => [`${name}.contoso.net`, [`192.0.2.${i + 1}`]])
const { sections, errors } = importLync(rows, {
  ...{ country: 'US', listener: 'carrier', trunks: new Set<string>(), from: Object.fromEntries(gateways) },
})
assert.deepEqual(errors, [])
const { siteDialPlans: _, ...entries } = sections
const acme = readFileSync(new URL('../../../examples/acme/tandem.yaml', import.meta.url), 'utf8')
const merged = mergeInto(acme, entries as unknown as NewEntries)
assert.ok(merged.kind === 'merged')
const checked = checkConfiguration({ files: [{ path: 'tandem.yaml', text: merged.text }], lint: false })
assert.ok(checked.kind === 'ok', JSON.stringify(checked))
const table = compileTable(checked.configuration, { revision: 1 })

/** The user's policy Default is what the export calls Global. */
const ours = (policy: string) => (policy === 'Default' ? 'global' : policy)
/** `Redmond Local` → `Redmond-Local`, `Red-GW1` → `red-gw1.contoso.net`. */
const route = (name: string) => name.replaceAll(' ', '-')
const trunk = (name: string) => `${name.toLowerCase()}.contoso.net`

for (const { policy, number, candidates } of cases) {
  test(`policy ${policy} calls ${number}: ${candidates.map(([name]) => name).join(', then ') || 'refused'}`, () => {
    const usages = checked.configuration.policies[ours(policy)]?.usages ?? []
    const held = usages.map((name) => ({ name, routes: table.routes.filter((r) => r.usages.includes(name)) }))
    const authority = { owner: policy, usages: held }
    const circumstances = { now: 0, down: new Set<string>(), poor: new Map(), note: undefined }
    const selection = selectTrunks(number, authority, table, 'x', circumstances)
    const places = candidates.flatMap(([name, trunks]) => trunks.map((one) => [route(name), trunk(one)] as const))
    // A trunk keeps its first place only.
    const expected = places
      .filter(([, one], i) => places.findIndex(([, other]) => other === one) === i)
      .map((place) => place.join(' '))
    const picked = selection.kind === 'chosen' ? selection.picks.map((p) => `${p.route.name} ${p.trunk.name}`) : []
    assert.deepEqual(picked, expected)
  })
}
