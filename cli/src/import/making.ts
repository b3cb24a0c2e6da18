/** What an import makes, and what it has to say about the rows. */
import type { lintRoute } from '@tandem/numbers/lint.ts'
import type { ExportedObject, ExportRow } from './export-file.ts'
import { flagOf, nameMaker, parentOf, textOf } from './lync-properties.ts'

export interface SourceRow extends ExportRow {
  readonly file: string
}
export interface RowNote {
  readonly file: string
  readonly row: number
  /** What the row is: `route Redmond 1`. */
  readonly what: string
  readonly message: string
  /** What to do about it. */
  readonly instead: string
}
export interface WrittenRule {
  name: string
  match: string
  to: string
  internal?: true
}
export interface Sections {
  dialPlan?: string
  dialPlans: Record<string, { externalPrefix?: string; rules: WrittenRule[] }>
  /** Lync's registrar pools; who is in one is said by `pool` of the user. */
  pools: Record<string, { dialPlan: string }>
  policies: Record<string, { usages: string[]; forward?: string[]; ring?: string[] }>
  routes: { name: string; match: string; usages: string[]; trunks: string[] }[]
  trunks: Record<string, Record<string, unknown>>
  /** Dial plans of sites and trunks that are in the file already, or are told of. */
  siteDialPlans: Record<string, string>
}
export interface LyncOptions {
  readonly country: string
  /** Listener of imported trunks. */
  readonly listener: string
  /** Trunks that the configuration has already. */
  readonly trunks: ReadonlySet<string>
  /** Addresses from which gateways call in, by their name: no export has them. */
  readonly from: Readonly<Record<string, readonly string[]>>
}

export interface Making {
  readonly sections: Sections
  readonly errors: RowNote[]
  readonly notes: RowNote[]
  readonly options: LyncOptions
  /** Original name → ours, by section. */
  readonly names: Readonly<
    Record<'dialPlans' | 'policies' | 'routes' | 'trunks' | 'usages', (original: string) => string>
  >
  readonly translations: Map<string, WrittenRule>
}

export function startMaking(options: LyncOptions): Making {
  return {
    sections: { dialPlans: {}, pools: {}, policies: {}, routes: [], trunks: {}, siteDialPlans: {} },
    ...{ errors: [], notes: [], options, translations: new Map() },
    names: {
      ...{ dialPlans: nameMaker(), policies: nameMaker(), routes: nameMaker() },
      ...{ trunks: nameMaker(), usages: nameMaker() },
    },
  }
}

export function say(to: RowNote[], { file, row }: SourceRow, what: string, message: string, instead: string): void {
  to.push({ file, row, what, message, instead })
}

/** The lint of libs/numbers, said of the row: an error means that the rule cannot work as it is. */
export function sayFindings(m: Making, row: SourceRow, what: string, findings: ReturnType<typeof lintRoute>): boolean {
  for (const { severity, message, hint } of findings)
    say(severity === 'error' ? m.errors : m.notes, row, what, message, hint === undefined ? '' : `${hint}.`)
  return findings.every(({ severity }) => severity !== 'error')
}

export function readRule(values: ExportedObject): WrittenRule {
  const match = textOf(values, 'Pattern')
  const internal = flagOf(values, 'IsInternalExtension') === true
  return {
    name: parentOf(values).name,
    match,
    to: textOf(values, 'Translation'),
    ...(internal ? { internal: true } : {}),
  }
}
