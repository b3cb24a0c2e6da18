/** Get-CsDialPlan, Get-CsTenantDialPlan and Get-CsVoiceNormalizationRule. */
import { lintDialPlan } from '@tandem/numbers/lint.ts'
import { type ExportedValue, isObject } from './export-file.ts'
import { freeName, has, listOf, lost, parentOf, plainName, scopeOf, textOf } from './lync-properties.ts'
import { type Making, readRule, type SourceRow, say, sayFindings, type WrittenRule } from './making.ts'

/** A rule as a property of a dial plan: an object, or what its ToString says. */
function nestedRule(value: ExportedValue): WrittenRule | undefined {
  if (isObject(value)) return has(value, 'Pattern', 'Translation') ? readRule(value) : undefined
  const said = /^Description=(.*?);Pattern=(.*);Translation=(.*);Name=(.*);IsInternalExtension=(True|False)/s.exec(
    String(value),
  )
  if (said === null) return undefined
  const [, , match = '', to = '', name = '', internal] = said
  return { name: name.trim(), match, to, ...(internal === 'True' ? { internal: true } : {}) }
}

function planOf(m: Making, identity: string): string {
  const scope = scopeOf(identity)
  const name = m.names.dialPlans(scope.kind === 'global' ? 'global' : scope.name)
  m.sections.dialPlans[name] ??= { rules: [] }
  if (scope.kind === 'global') m.sections.dialPlan = name
  if (scope.kind === 'pool') m.sections.pools[plainName(scope.name)] = { dialPlan: name }
  if (scope.kind === 'site') m.sections.siteDialPlans[scope.name] = name
  const trunk = scope.kind === 'trunk' ? m.sections.trunks[m.names.trunks(scope.name)] : undefined
  if (trunk !== undefined) trunk.dialPlan = name
  return name
}

export function takeDialPlan(row: SourceRow, m: Making): void {
  const { values } = row
  const what = `dial plan ${textOf(values, 'Identity')}`
  const plan = m.sections.dialPlans[planOf(m, textOf(values, 'Identity'))]
  if (plan === undefined) return
  const prefix = textOf(values, 'ExternalAccessPrefix')
  if (/^[#*0-9]{1,4}$/.test(prefix)) plan.externalPrefix = prefix
  else if (prefix !== '') say(m.errors, row, what, `the prefix ${prefix} is not at most four of #*0-9`, 'Mend it.')
  const rules = listOf(values, 'NormalizationRules')
  if (rules === lost) {
    say(
      m.errors,
      row,
      what,
      'the CSV has lost its rules',
      'Export it with Export-Clixml, or add a CSV of Get-CsVoiceNormalizationRule.',
    )
    return
  }
  for (const value of rules) {
    const rule = nestedRule(value)
    if (rule === undefined)
      say(
        m.errors,
        row,
        what,
        `a rule cannot be read: ${JSON.stringify(value).slice(0, 80)}`,
        'Export with ConvertTo-Json -Depth 5.',
      )
    else addRule(row, m, plan, what, rule)
  }
}

export function takeRule(row: SourceRow, m: Making): void {
  const { parent } = parentOf(row.values)
  const plan = m.sections.dialPlans[planOf(m, parent)]
  if (plan !== undefined) addRule(row, m, plan, `rule of dial plan ${parent}`, readRule(row.values))
}

function addRule(row: SourceRow, m: Making, plan: { rules: WrittenRule[] }, what: string, read: WrittenRule): void {
  const rule = { ...read, name: freeName(read.name, new Set(plan.rules.map(({ name }) => name))) }
  const { options } = m
  const findings = lintDialPlan({ name: what, externalPrefix: '', rules: [rule] }, options)
  if (sayFindings(m, row, `${what}, rule ${read.name}`, findings)) plan.rules.push(rule)
}
