import { type Path, readSource, type SourceFile } from './source.ts'

/** File, line and column where a value is written, or its nearest parent that is. */
export function placeOf(files: readonly SourceFile[], path: Path): { file: string; line: number; column: number } {
  return readSource(files).locate(path, 'value')
}
