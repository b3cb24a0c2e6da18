/**
 * Dial plans, normalisation rules, usages, policies, routes and trunks as Lync Server, Skype for Business and Teams export
 * them → sections of our configuration. Which cmdlet a row is of is told by its properties.
 */
import type { ExportedObject } from './export-file.ts'
import { takeDialPlan, takeRule } from './lync-dial-plans.ts'
import { has, numberOf, textOf } from './lync-properties.ts'
import { takePolicy, takeRoute } from './lync-routes.ts'
import { takeGateway, takeTranslation, takeTrunkConfiguration } from './lync-trunks.ts'
import {
  type LyncOptions,
  type Making,
  type RowNote,
  type Sections,
  type SourceRow,
  say,
  startMaking,
} from './making.ts'

export interface Imported {
  readonly sections: Sections
  /** Rows that cannot be taken over: with one of them nothing is written. */
  readonly errors: RowNote[]
  /** Rows that are taken over, or left out, with a word about it. */
  readonly notes: RowNote[]
}

type Kind = 'dial-plan' | 'rule' | 'translation' | 'usage' | 'policy' | 'route' | 'gateway' | 'trunk-configuration'

/** By the properties that only this cmdlet's objects have. */
function kindOf(values: ExportedObject): Kind | undefined {
  if (has(values, 'NumberPattern')) return 'route'
  if (has(values, 'OutboundTranslationRulesList')) return 'trunk-configuration'
  if (has(values, 'NormalizationRules') || has(values, 'ExternalAccessPrefix')) return 'dial-plan'
  if (has(values, 'Pattern', 'Translation')) return has(values, 'IsInternalExtension') ? 'rule' : 'translation'
  if (has(values, 'PstnUsages') || has(values, 'OnlinePstnUsages')) return 'policy'
  if (has(values, 'Usage')) return 'usage'
  if (has(values, 'Fqdn') || has(values, 'PoolFqdn')) return 'gateway'
  return undefined
}

export function importLync(rows: readonly SourceRow[], options: LyncOptions): Imported {
  const made = startMaking(options)
  const of = new Map<Kind, SourceRow[]>()
  for (const row of rows) {
    const kind = kindOf(row.values)
    if (kind === undefined) {
      const cmdlets =
        'Get-CsDialPlan, Get-CsVoiceNormalizationRule, Get-CsVoicePolicy, Get-CsVoiceRoute, Get-CsPstnUsage, Get-CsTrunkConfiguration and their Teams sisters'
      say(
        made.errors,
        row,
        textOf(row.values, 'Identity') || 'row',
        'it is of no kind that is known',
        `Export what ${cmdlets} give.`,
      )
    } else of.set(kind, [...(of.get(kind) ?? []), row])
  }
  const each = (kind: Kind, take: (row: SourceRow, m: Making) => void) => {
    const inOrder = [...(of.get(kind) ?? [])].sort((a, b) => priorityOf(a) - priorityOf(b))
    for (const row of inOrder) take(row, made)
  }
  // What others name comes first.
  each('translation', takeTranslation)
  each('gateway', takeGateway)
  each('trunk-configuration', takeTrunkConfiguration)
  each('dial-plan', takeDialPlan)
  each('rule', takeRule)
  each('policy', takePolicy)
  each('route', takeRoute)
  for (const [name, { externalPrefix, rules }] of Object.entries(made.sections.dialPlans))
    made.sections.dialPlans[name] = { ...(externalPrefix === undefined ? {} : { externalPrefix }), rules }
  return { sections: made.sections, errors: made.errors, notes: made.notes }
}

/** Lync walks routes, and rules, by their priority; the export need not be in this order. */
const priorityOf = ({ values }: SourceRow): number => numberOf(values, 'Priority') ?? 0
