/** What the schema cannot see: names that point at each other, numbers used twice, ports, networks, 911. */
import type { ConfigurationDocument } from './schema.ts'
import { type Path, type Problem, type Source, writePath } from './source.ts'

export interface Findings {
  problems: Problem[]
  warnings: Problem[]
}

export function referenceProblems(_document: ConfigurationDocument, _source: Source): Findings {
  return { problems: [], warnings: [] }
}
export const placeholder = (p: Path) => writePath(p)
