import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { checkConfiguration } from '@tandem/config/check.ts'
import { type BuiltRule, buildRule, compileDialPlan, normalise, type RuleForm } from '@tandem/numbers/dial-plan.ts'
import { lintDialPlan } from '@tandem/numbers/lint.ts'
import { applyRule, compileRules, translate } from '@tandem/numbers/translate.ts'
import { compileTable } from '@tandem/routing/domain/compile-table.ts'
import { decideRoute } from '@tandem/routing/domain/decide-route.ts'
import { selectTrunks } from '@tandem/routing/domain/select-trunks.ts'
import type { RoutingTable } from '@tandem/routing/domain/table.ts'

type Rule = { rule: string; pattern: string; translation: string; in: string; out: string }
type LyncRoute = { name: string; pattern: string; usages: string[]; trunks: string[] }
type Cases = {
  normalization: Rule[]
  dialplan_redmond_order: string[]
  trunk_translation_outbound_called: (Rule & {
    build: { startingDigits: string; length: string; remove: number; add: string }
  })[]
  teams_translation: {
    rules: Record<string, [string, string]>
    trunk: Record<'inboundTeams' | 'inboundPstn' | 'outboundPstn' | 'outboundTeams', string[]>
    cases: { dir: 'in' | 'out'; called: string; calling: string; calledOut: string; callingOut: string }[]
  }
  routing: {
    lync_failover_example: {
      policies: Record<string, string[]>
      routes: LyncRoute[]
      cases: { policy: string; number: string; candidates: [string, string[]][] }[]
    }
    teams_priority_example: {
      routes: { name: string; pattern: string; priority: number; sbcs: string[] }[]
      cases: { number: string; order: string[][] }[]
    }
  }
}
const cases: Cases = JSON.parse(readFileSync(new URL('cases.json', import.meta.url), 'utf8'))

for (const { rule, pattern, translation, in: dialled, out } of cases.normalization) {
  test(`normalisation ${rule}: ${dialled} → ${out}`, () => {
    const [compiled] = compileRules([{ name: rule, match: pattern, to: translation }])
    assert.ok(compiled)
    assert.equal(applyRule(compiled, dialled), out)
  })
}

test('normalisation LDCallingUS: the documented rule loses the country code, and the lint says so', () => {
  const written = cases.normalization.find(({ rule }) => rule === 'LDCallingUS')
  assert.ok(written)
  const rules = [{ name: written.rule, match: written.pattern, to: written.translation }]
  const findings = lintDialPlan({ name: 'documented', externalPrefix: '', rules }, { country: 'US' })
  assert.deepEqual(
    findings.map(({ code }) => code),
    ['not-e164'],
  )
})

test('dial plan Redmond: the rules are walked from the top, the first match wins', () => {
  const byName = new Map(cases.normalization.map((rule) => [rule.rule, rule]))
  const rules = cases.dialplan_redmond_order.map((name) => {
    const rule = byName.get(name)
    assert.ok(rule, name)
    return { name, match: rule.pattern, to: rule.translation }
  })
  const plan = compileDialPlan({ name: 'Redmond', externalPrefix: '', rules })
  for (const name of cases.dialplan_redmond_order) {
    const rule = byName.get(name) as Rule
    assert.deepEqual(normalise(plan, rule.in), { kind: 'matched', number: rule.out, rule: name, pass: 'plain' })
  }
  assert.deepEqual(normalise(plan, '0100'), { kind: 'unmatched', number: '0100' }, 'no match leaves the number alone')
})

for (const { rule, build, pattern, translation, in: number, out } of cases.trunk_translation_outbound_called) {
  test(`trunk translation ${rule}: ${number} → ${out}, written by hand and built from the form`, () => {
    assert.equal(translate(compileRules([{ match: pattern, to: translation }]), number).number, out)
    const built: BuiltRule = buildRule({ ...build, length: readLength(build.length) })
    assert.deepEqual(built, { kind: 'rule', match: pattern, to: translation })
  })
}

/** `exactly 12`, `at least 11` as the control panel words it. */
function readLength(text: string): RuleForm['length'] {
  const digits = Number(/\d+/.exec(text)?.[0])
  return { kind: text.startsWith('exactly') ? 'exactly' : 'atLeast', digits }
}

for (const { dir, called, calling, calledOut, callingOut } of cases.teams_translation.cases) {
  test(`Teams translation ${dir}: ${called} from ${calling} → ${calledOut} from ${callingOut}`, () => {
    const { rules, trunk } = cases.teams_translation
    const lists = (names: string[]) =>
      compileRules(names.map((name) => ({ name, match: rules[name]?.[0] ?? '', to: rules[name]?.[1] ?? '' })))
    // In: both numbers by the inbound lists. Out: the called number is the PSTN's, the calling number the Teams user's.
    const forCalled = dir === 'in' ? trunk.inboundTeams : trunk.outboundPstn
    const forCalling = dir === 'in' ? trunk.inboundPstn : trunk.outboundTeams
    assert.equal(translate(lists(forCalled), called).number, calledOut)
    assert.equal(translate(lists(forCalling), calling).number, callingOut)
  })
}

const quote = (text: string) => `'${text}'`
const slug = (text: string) => text.replace(/[^A-Za-z0-9._-]+/g, '-')

/** A whole configuration around the policies and routes of an example. */
function tableOf(policies: Record<string, string[]>, routes: (LyncRoute & { priority?: number })[]): RoutingTable {
  const trunks = [...new Set(routes.flatMap((route) => route.trunks))]
  const text = `
version: 1
domain: lync.example
edge:
  listen: { inside: { url: "udp://127.0.0.1:5060" } }
  media: { relay: embedded }
sites: { redmond: { networks: [10.0.0.0/8], dialPlan: none } }
dialPlans: { none: { rules: [{ name: keep, match: '^(\\d{11})$', to: '+$1' }] } }
policies:
${Object.entries(policies)
  .map(([name, usages]) => `  ${slug(name)}: { usages: [${usages.join(', ')}] }`)
  .join('\n')}
routes:
${routes.map((r) => `  - { name: ${slug(r.name)}, match: ${quote(r.pattern)}, usages: [${r.usages.join(', ')}], trunks: [${r.trunks.join(', ')}], priority: ${r.priority ?? 0} }`).join('\n')}
trunks:
${trunks.map((name, n) => `  ${name}: { to: ["sip:192.0.2.${n}:5060"], from: ["192.0.2.${n}"], listener: inside, emergency: true }`).join('\n')}
users:
${Object.keys(policies)
  .map(
    (name, n) =>
      `  user-${slug(name)}: { did: "+1425555090${n}", site: redmond, policy: ${slug(name)}, password: { env: P } }`,
  )
  .join('\n')}
emergency: { numbers: ["911"], trunks: [${trunks[0]}] }
`
  const checked = checkConfiguration({ files: [{ path: 'lync.yaml', text }] })
  assert.equal(checked.kind, 'ok', JSON.stringify(checked.kind === 'bad' ? checked.problems : ''))
  if (checked.kind !== 'ok') throw new Error('unreachable')
  return compileTable(checked.configuration, { revision: 1 })
}

const call = (user: string, dialled: string, table: RoutingTable) =>
  decideRoute(
    {
      callId: 'case',
      source: { kind: 'user', user },
      sourceAddress: '10.0.0.1',
      dialled,
      requestUri: `sip:${dialled}@lync.example`,
      from: { number: '' },
      at: '2026-01-01T00:00:00Z',
    },
    table,
    0,
  )

const failover = cases.routing.lync_failover_example
for (const { policy, number, candidates } of failover.cases) {
  test(`Lync failover: policy ${policy} to ${number} has ${candidates.length} candidate routes`, () => {
    const table = tableOf(failover.policies, failover.routes)
    const seen = candidatesOf(number, policy, table)
    assert.deepEqual(
      seen,
      candidates.map(([route, trunks]) => `${slug(route)}: ${trunks.join(', ')}`),
    )
    const decision = call(`user-${slug(policy)}`, number, table)
    // The plan is the candidates one after the other, each trunk at its first place only.
    const expected = [...new Set(candidates.flatMap(([, trunks]) => trunks))]
    if (expected.length === 0) assert.equal(decision.kind === 'reject' && decision.status, 403)
    else assert.deepEqual(trunksOf(decision), expected)
  })
}

/** Routes that a policy reaches for a number, each with all of its trunks. */
function candidatesOf(number: string, policy: string, table: RoutingTable): string[] {
  const user = table.users.get(`user-${slug(policy)}`)
  assert.ok(user)
  const matched: string[] = []
  const note = (stage: string, item: string, outcome: string) => {
    const name = / route ([^,]+)$/.exec(item)?.[1]
    if (stage === 'authorisation' && outcome === 'matched' && name !== undefined) matched.push(name)
  }
  selectTrunks(number, user.policy.usages, table, 'case', { now: 0, down: new Set(), poor: new Map(), note })
  return matched.map(
    (name) =>
      `${name}: ${table.routes
        .find((route) => route.name === name)
        ?.trunks.map((trunk) => trunk.name)
        .join(', ')}`,
  )
}

function trunksOf(decision: ReturnType<typeof call>): string[] {
  assert.equal(decision.kind, 'route', JSON.stringify(decision))
  const attempts = decision.kind === 'route' ? (decision.branches[0]?.attempts ?? []) : []
  return attempts.flatMap((attempt) => (attempt.kind === 'trunk' ? [attempt.trunk] : []))
}

const priorities = cases.routing.teams_priority_example
for (const { number, order } of priorities.cases) {
  test(`Teams priority: ${number} tries ${order.map((sbcs) => sbcs.join('/')).join(', then ') || 'nothing'}`, () => {
    const routes = priorities.routes.map(({ name, pattern, priority, sbcs }) => ({
      name,
      pattern,
      priority,
      usages: ['pstn'],
      trunks: sbcs,
    }))
    // The priority decides, whatever the order of the file.
    for (const written of [routes, routes.toReversed()]) {
      const table = tableOf({ everybody: ['pstn'] }, written)
      const decision = call('user-everybody', number, table)
      if (order.length === 0) assert.equal(decision.kind === 'reject' && decision.status, 404)
      else assert.deepEqual(trunksOf(decision), order.flat())
    }
  })
}
