/** Where the checks of a configuration write what they found. */
import { nearest } from './nearest.ts'
import { type Path, type Problem, type Source, writePath } from './source.ts'

export interface Findings {
  problems: Problem[]
  warnings: Problem[]
  /** `at` points at the value unless `part` says key. */
  problem(at: Path, message: string, instead: string, part?: 'key' | 'value'): void
  warn(at: Path, message: string, instead: string, part?: 'key' | 'value'): void
  /** A problem when `name` is not one of `known`. */
  refer(at: Path, name: string | undefined, of: string, known: ReadonlySet<string>): void
  /** `file:line` of a path, for "also at …". */
  where(at: Path): string
}

export function startFindings(source: Source): Findings {
  const problems: Problem[] = []
  const warnings: Problem[] = []
  const put =
    (list: Problem[]) =>
    (at: Path, message: string, instead: string, part: 'key' | 'value' = 'value') => {
      list.push({ ...source.locate(at, part), path: writePath(at), message, instead })
    }
  const problem = put(problems)
  return {
    problems,
    warnings,
    problem,
    warn: put(warnings),
    refer(at, name, of, known) {
      if (name === undefined || known.has(name)) return
      const meant = nearest(name, known)
      const names = [...known].slice(0, 8).join(', ')
      const instead = meant
        ? `Did you mean ${meant}?`
        : known.size > 0
          ? `Known: ${names}${known.size > 8 ? ', …' : ''}. Or add ${name}.`
          : `Add the ${of} ${name}.`
      problem(at, `there is no ${of} ${name}`, instead)
    },
    where(at) {
      const spot = source.locate(at, 'value')
      return `${spot.file}:${spot.line}`
    },
  }
}
