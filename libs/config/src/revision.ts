/**
 * A revision of the configuration as it stands in the KV bucket `config` under `current` (and under its own number).
 * It carries the text as it was written, comments and all, so that a service compiles exactly what a person wrote.
 */
import Type, { type Static } from 'typebox'
import Value from 'typebox/value'
import { checkConfiguration, type Problem, type SourceFile } from './check.ts'
import type { Configuration } from './defaults.ts'

/** KV bucket and key where services find it. */
export const CONFIG_BUCKET = 'config'
export const CONFIG_KEY = 'current'
/** What is being proposed: there while a change is under way, and the lock of it. */
export const CONFIG_PROPOSED_KEY = 'proposed'

export const RevisionSchema = Type.Object({
  revision: Type.Integer({ minimum: 1 }),
  by: Type.String({ maxLength: 256 }),
  /** RFC 3339 UTC */
  at: Type.String({ maxLength: 40 }),
  why: Type.String({ maxLength: 2048 }),
  source: Type.Array(Type.Object({ path: Type.String({ maxLength: 1024 }), text: Type.String() }), {
    minItems: 1,
    maxItems: 1000,
  }),
  /** CSV text of every rate deck and list of numbers, by the `file` written in the configuration */
  decks: Type.Record(Type.String(), Type.String()),
})
export type Revision = Static<typeof RevisionSchema>

export type ReadRevision =
  | { kind: 'ok'; revision: Revision; configuration: Configuration; warnings: readonly Problem[] }
  | { kind: 'bad'; message: string; problems: readonly Problem[] }

type ParsedRevision = { kind: 'revision'; revision: Revision } | { kind: 'bad'; message: string }

/** Bytes of the KV entry → what was applied, by whom and why; not looked into. Never throws. */
export function parseRevision(bytes: Uint8Array | string): ParsedRevision {
  let parsed: unknown
  try {
    parsed = JSON.parse(typeof bytes === 'string' ? bytes : new TextDecoder().decode(bytes))
  } catch {
    return { kind: 'bad', message: 'the revision is not JSON' }
  }
  if (Value.Check(RevisionSchema, parsed)) return { kind: 'revision', revision: parsed as Revision }
  const first = [...Value.Errors(RevisionSchema, parsed)][0]
  return { kind: 'bad', message: `not a revision: ${first?.instancePath ?? ''} ${first?.message ?? ''}` }
}

/** Bytes of the KV entry → the compiled configuration. Never throws; a service keeps what it has on `bad`. */
export function readRevision(bytes: Uint8Array | string): ReadRevision {
  const parsed = parseRevision(bytes)
  if (parsed.kind === 'bad') return { kind: 'bad', message: parsed.message, problems: [] }
  const { revision } = parsed
  const checked = checkConfiguration({ files: revision.source, lint: false })
  if (checked.kind === 'bad') {
    return { kind: 'bad', message: `revision ${revision.revision} does not compile`, problems: checked.problems }
  }
  return { kind: 'ok', revision, configuration: checked.configuration, warnings: checked.warnings }
}

export function writeRevision(revision: Revision): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(revision))
}

/** Paths of the CSV files that the configuration names; `apply` sends their text along. */
export function deckFiles(configuration: Configuration): string[] {
  const files = Object.values(configuration.rateDecks).flatMap((d) => (d.kind === 'per-minute' ? [d.file] : []))
  return [...new Set([...files, ...configuration.numberFiles])]
}

export type { SourceFile }
