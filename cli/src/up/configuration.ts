/** The configuration that `up` starts with: read, checked, its rate decks beside it. */
import { checkConfiguration, type Problem } from '@tandem/config/check.ts'
import type { Configuration } from '@tandem/config/defaults.ts'
import { readConfigurationFiles, readDecks } from '@tandem/config/files.ts'
import { deckFiles } from '@tandem/config/revision.ts'
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

/** Throws a Failure that lists every problem with file, line, column and what to write instead. */
export function readChecked(path: string): CheckedFiles {
  const read = readConfigurationFiles(path)
  if (read.kind === 'missing') throw new Failure(read.message, read.instead)
  const first = checkConfiguration({ files: read.files })
  if (first.kind === 'bad') throw failureOf(path, first.problems)
  const { decks } = readDecks(deckFiles(first.configuration), read.folder)
  const checked = checkConfiguration({ files: read.files, decks })
  if (checked.kind === 'bad') throw failureOf(path, checked.problems)
  const { configuration, warnings } = checked
  return { configuration, warnings, files: read.files, folder: read.folder, decks }
}

function failureOf(path: string, problems: readonly Problem[]): ProblemFailure {
  const count = problems.length === 1 ? 'one problem' : `${problems.length} problems`
  return new ProblemFailure(`${path} has ${count}`, 'Mend it and try again: tandem check shows the same.', problems)
}
