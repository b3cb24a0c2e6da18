/** The configuration that `up` starts with: read, checked, its rate decks beside it. */
import { readFileSync } from 'node:fs'
import { certificateFiles } from '@tandem/config/certificate-check.ts'
import { checkConfiguration, type Problem } from '@tandem/config/check.ts'
import type { Configuration } from '@tandem/config/defaults.ts'
import { readConfigurationFiles, readDecks } from '@tandem/config/files.ts'
import { deckFiles } from '@tandem/config/revision.ts'
import { findFile } from '@tandem/config/secrets.ts'
import type { SourceFile } from '@tandem/config/source.ts'
import { Failure } from '../failure.ts'
import { ProblemFailure } from './problem-failure.ts'

export interface CheckedFiles {
  configuration: Configuration
  warnings: readonly Problem[]
  files: SourceFile[]
  folder: string
  decks: Record<string, string>
}

/**
 * Throws a Failure that lists every problem with file, line, column and what to write instead. With `secretsIn`, the data
 * folder, the certificates that it names are looked at too: this is the machine of the edge.
 */
export function readChecked(path: string, { secretsIn }: { secretsIn?: string } = {}): CheckedFiles {
  const read = readConfigurationFiles(path)
  if (read.kind === 'missing') throw new Failure(read.message, read.instead)
  const first = checkConfiguration({ files: read.files })
  if (first.kind === 'bad') throw failureOf(path, first.problems)
  const { decks } = readDecks(deckFiles(first.configuration), read.folder)
  const certificates =
    secretsIn === undefined ? {} : { certificates: readCertificates(first.configuration, read.folder, secretsIn) }
  const checked = checkConfiguration({ files: read.files, decks, ...certificates })
  if (checked.kind === 'bad') throw failureOf(path, checked.problems)
  const { configuration, warnings } = checked
  return { configuration, warnings, files: read.files, folder: read.folder, decks }
}

function readCertificates(configuration: Configuration, folder: string, data: string) {
  const texts: Record<string, string | null> = {}
  for (const named of certificateFiles(configuration)) {
    const path = findFile(named, { TANDEM_CONFIG_DIR: folder, TANDEM_DATA: data })
    texts[named] = path === null ? null : readFileSync(path, 'utf8')
  }
  return { texts, now: Date.now() }
}

function failureOf(path: string, problems: readonly Problem[]): ProblemFailure {
  const count = problems.length === 1 ? 'one problem' : `${problems.length} problems`
  return new ProblemFailure(`${path} has ${count}`, 'Mend it and try again: tandem check shows the same.', problems)
}
