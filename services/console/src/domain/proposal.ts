/** A proposed configuration, looked at: what is wrong with it, or what it would change and the revision that it would be. */
import { checkConfiguration, type Problem } from '@tandem/config/check.ts'
import type { Configuration } from '@tandem/config/defaults.ts'
import { deckFiles, type Revision, type SourceFile, writeRevision } from '@tandem/config/revision.ts'
import { configurationDiff } from './configuration-diff.ts'

export interface Proposal {
  source: SourceFile[]
  decks?: Record<string, string>
  why?: string
  dryRun?: boolean
}

/** Who, when and why, without the text. */
export type RevisionNote = Pick<Revision, 'revision' | 'by' | 'at' | 'why'>

export type LookedAt =
  | { readonly kind: 'wrong'; readonly title: string; readonly detail: string; readonly more: Record<string, unknown> }
  | {
      readonly kind: 'candidate'
      readonly note: RevisionNote
      readonly dryRun: boolean
      /** The first of them, and how many there are. */
      readonly changes: ReturnType<typeof configurationDiff>
      readonly changed: number
      readonly warnings: readonly Problem[]
      /** The revision as it will stand in the bucket. */
      readonly bytes: Uint8Array
    }

/** Nobody reads fifty thousand, and each of them would be written and read four times. */
const mostChanges = 1000

/** `running`: the configuration in force; `next`: what the revision would be called. */
export function lookAt(
  { source, decks = {}, why = '', dryRun = false }: Proposal,
  running: Configuration | undefined,
  next: Omit<RevisionNote, 'why'>,
): LookedAt {
  const checked = checkConfiguration({ files: source })
  if (checked.kind === 'bad') {
    const { problems } = checked
    const detail = `${problems.length} problem(s)`
    return { kind: 'wrong', title: 'Configuration is wrong', detail, more: { problems } }
  }
  const missing = deckFiles(checked.configuration).filter((file) => decks[file] === undefined)
  if (missing.length > 0) {
    const detail = `send the text of ${missing.join(', ')} in "decks"`
    return { kind: 'wrong', title: 'Rate deck missing', detail, more: { missing } }
  }
  const note = { ...next, why }
  const changes = configurationDiff(running, checked.configuration)
  return {
    ...{ kind: 'candidate', note, dryRun, warnings: checked.warnings },
    ...{ changes: changes.slice(0, mostChanges), changed: changes.length },
    bytes: writeRevision({ ...note, source, decks }),
  }
}
