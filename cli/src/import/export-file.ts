/** What PowerShell writes: `Export-Csv`, `ConvertTo-Json` and `Export-Clixml` → objects with their properties. */
import { readXml, textOf, type XmlElement } from '@tandem/pidf/xml-read.ts'
import { parse } from 'csv-parse/sync'

export type ExportedValue = string | number | boolean | null | ExportedValue[] | ExportedObject
export interface ExportedObject {
  [property: string]: ExportedValue
}
export interface ExportRow {
  /** Line of a CSV, else the place in the list; from 1. */
  readonly row: number
  readonly values: ExportedObject
}
export type ReadExport =
  | { readonly kind: 'rows'; readonly format: 'csv' | 'json' | 'clixml'; readonly rows: ExportRow[] }
  | { readonly kind: 'bad'; readonly message: string; readonly instead: string }

/** Bytes of one export, and objects in it. */
const mostBytes = 64 * 1024 * 1024
const mostRows = 1_000_000
/** A dial plan with its rules is an object in an object. */
const deepest = 16

const howToExport =
  'Export it with Export-Clixml, ConvertTo-Json -Depth 5, or Export-Csv -NoTypeInformation -Encoding UTF8.'

/** Told apart by what it begins with. Never throws. */
export function readExport(bytes: Uint8Array): ReadExport {
  if (bytes.length > mostBytes) return bad(`it is larger than ${mostBytes / 1024 / 1024} MiB`, 'Split it.')
  const text = decode(bytes)
  const start = text.trimStart()[0]
  try {
    if (start === '<') return readClixml(text)
    return start === '{' || start === '[' ? readJson(text) : readCsv(text)
  } catch (error) {
    return bad(`it cannot be read: ${(error as Error).message.split('\n', 1)[0]}`, howToExport)
  }
}

const bad = (message: string, instead: string): ReadExport => ({ kind: 'bad', message, instead })

/** Windows PowerShell writes UTF-16 unless it is told not to. */
function decode(bytes: Uint8Array): string {
  const utf16 =
    bytes[0] === 0xff && bytes[1] === 0xfe
      ? 'utf-16le'
      : bytes[0] === 0xfe && bytes[1] === 0xff
        ? 'utf-16be'
        : undefined
  return new TextDecoder(utf16 ?? 'utf-8').decode(bytes)
}

function readCsv(text: string): ReadExport {
  // Export-Csv of Windows PowerShell begins with the type of the objects.
  const typed = /^#TYPE [^\n]*\r?\n/.exec(text)?.[0] ?? ''
  const records = parse(text.slice(typed.length), {
    ...{ columns: true, skip_empty_lines: true, trim: true, info: true, relax_column_count: true, to: mostRows },
  }) as unknown as { record: Record<string, string>; info: { lines: number } }[]
  const more = typed === '' ? 0 : 1
  return {
    kind: 'rows',
    format: 'csv',
    rows: records.map(({ record, info }) => ({ row: info.lines + more, values: record })),
  }
}

function readJson(text: string): ReadExport {
  const parsed = JSON.parse(text) as ExportedValue
  const list = Array.isArray(parsed) ? parsed : [parsed]
  if (list.length > mostRows) return bad(`it has more than ${mostRows} objects`, 'Split it.')
  if (!list.every(isObject)) return bad('it is not a list of objects', howToExport)
  return { kind: 'rows', format: 'json', rows: (list as ExportedObject[]).map((values, i) => ({ row: i + 1, values })) }
}

export function isObject(value: ExportedValue | undefined): value is ExportedObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** [MS-PSRP] 2.2.5: `<Objs><Obj><Props><S N="Name">…</S> … <Obj N="Rules"><LST>…`. */
function readClixml(text: string): ReadExport {
  const read = readXml(text, { length: mostBytes, depth: 64, elements: 4_000_000, attributes: 16 })
  if (read.kind === 'refused') return bad(`it is not XML that can be read: ${read.detail}`, howToExport)
  if (read.root.name !== 'Objs') return bad(`it is XML, but not of Export-Clixml (<${read.root.name}>)`, howToExport)
  const known = new Map<string, ExportedValue>()
  const values = read.root.children.map((element) => readValue(element, known, 0))
  // The pipeline may have been exported as one list.
  const list = values.flatMap((value) => (Array.isArray(value) ? value : [value]))
  return { kind: 'rows', format: 'clixml', rows: list.filter(isObject).map((v, i) => ({ row: i + 1, values: v })) }
}

function attribute(element: XmlElement, name: string): string | undefined {
  return element.attributes.find((a) => a.name === name)?.value
}

function readValue(element: XmlElement, known: Map<string, ExportedValue>, depth: number): ExportedValue {
  if (depth > deepest) return null
  switch (element.name) {
    case 'Nil':
      return null
    case 'B':
      return textOf(element) === 'true'
    case 'I16':
    case 'I32':
    case 'I64':
    case 'U32':
    case 'By':
    case 'Db':
      return Number(textOf(element))
    case 'Ref':
      return known.get(attribute(element, 'RefId') ?? '') ?? null
    case 'Obj':
      return objectOf(element, known, depth)
    default:
      return unescaped(textOf(element))
  }
}

/** [MS-PSRP] 2.2.5.3.2: `_x000A_` stands for the character U+000A. */
const unescaped = (text: string): string =>
  text.replace(/_x([0-9A-Fa-f]{4})_/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)))

const lists = ['LST', 'IE', 'STK', 'QUE']

function objectOf(element: XmlElement, known: Map<string, ExportedValue>, depth: number): ExportedValue {
  const list = element.children.find(({ name }) => lists.includes(name))
  const properties = element.children.filter(({ name }) => name === 'Props' || name === 'MS').flatMap((e) => e.children)
  const value: ExportedValue = list === undefined ? {} : list.children.map((item) => readValue(item, known, depth + 1))
  const id = attribute(element, 'RefId')
  if (id !== undefined) known.set(id, value)
  if (!Array.isArray(value) && isObject(value)) {
    for (const property of properties) {
      const name = attribute(property, 'N')
      if (name !== undefined && name !== '__proto__') value[name] = readValue(property, known, depth + 1)
    }
    // What has neither properties nor a list is told by its text, as an address or an enumeration value.
    const said = element.children.find(({ name }) => name === 'ToString')
    if (properties.length === 0) return said === undefined ? null : unescaped(textOf(said))
  }
  return value
}
