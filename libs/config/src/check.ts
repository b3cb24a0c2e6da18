/** What a person wrote → the configuration that services read, or every problem with its place and its remedy. */
import { type CertificateFiles, certificateProblems } from './certificate-check.ts'
import { deckProblems, numberFileProblems } from './deck-check.ts'
import { type Configuration, resolveConfiguration } from './defaults.ts'
import { referenceProblems } from './references.ts'
import type { ConfigurationDocument } from './schema.ts'
import { schemaProblems } from './schema-problems.ts'
import { LIMITS } from './shapes.ts'
import { type Problem, readSource, type SourceFile } from './source.ts'

export type { Problem, SourceFile } from './source.ts'

export type Checked =
  | { kind: 'ok'; configuration: Configuration; warnings: readonly Problem[] }
  | { kind: 'bad'; problems: readonly Problem[]; warnings: readonly Problem[] }

export interface Sources {
  files: readonly SourceFile[]
  /** CSV text by the `file` written in the configuration */
  decks?: Readonly<Record<string, string>>
  /** texts of the certificates that it names: then these are looked at too */
  certificates?: CertificateFiles
  /** false: leave out the warnings about patterns that take time to find; services do, people want them. */
  lint?: boolean
}

/**
 * Check one file, or the files of a folder merged in the order given (maps are merged key by key, lists one after the
 * other, a value said twice is a problem). Never throws. At most LIMITS.problems problems, in the order of the text.
 * With `decks` the rate decks that it names are looked at too.
 */
export function checkConfiguration({ files, decks, certificates, lint = true }: Sources): Checked {
  const outsize = files.find((f) => f.text.length > LIMITS.fileBytes)
  if (files.length === 0 || files.length > LIMITS.files || outsize) return refuse(files, outsize)
  const source = readSource(files)
  if (source.problems.length > 0) return bad(source.problems, files)
  const wrong = schemaProblems(source)
  if (wrong.length > 0) return bad(wrong, files)
  const found = referenceProblems(source.value as unknown as ConfigurationDocument, source, { lint })
  if (decks) {
    deckProblems(source.value as unknown as ConfigurationDocument, decks, found)
    numberFileProblems(source.value as unknown as ConfigurationDocument, decks, found)
  }
  if (certificates) certificateProblems(source.value as unknown as ConfigurationDocument, certificates, found)
  const { problems, warnings } = found
  if (problems.length > 0) return bad(problems, files, warnings)
  const configuration = resolveConfiguration(source.value as unknown as ConfigurationDocument)
  return { kind: 'ok', configuration, warnings: inOrder(warnings, files) }
}

function bad(problems: Problem[], files: readonly SourceFile[], warnings: Problem[] = []): Checked {
  return { kind: 'bad', problems: inOrder(problems, files), warnings: inOrder(warnings, files) }
}

function inOrder(problems: Problem[], files: readonly SourceFile[]): Problem[] {
  const rank = new Map(files.map((f, i) => [f.path, i]))
  return problems
    .toSorted((a, b) => (rank.get(a.file) ?? 0) - (rank.get(b.file) ?? 0) || a.line - b.line || a.column - b.column)
    .slice(0, LIMITS.problems)
}

function refuse(files: readonly SourceFile[], outsize: SourceFile | undefined): Checked {
  const message = outsize
    ? `larger than ${LIMITS.fileBytes / 2 ** 20} MiB`
    : files.length === 0
      ? 'no configuration file'
      : `more than ${LIMITS.files} files`
  const file = outsize?.path ?? files[0]?.path ?? '.'
  const instead = files.length === 0 ? 'Give a .yaml file or a folder that holds one.' : 'Split or merge the files.'
  return { kind: 'bad', problems: [{ file, line: 1, column: 1, path: '', message, instead }], warnings: [] }
}
