import { readdirSync, readFileSync } from 'node:fs'
import { XmlDocument, XsdValidator, xmlRegisterInputProvider } from 'libxml2-wasm'

const folder = new URL('./schemas/', import.meta.url)
const open = new Map<number, { bytes: Buffer; at: number }>()
let handles = 0

// schemas are served from memory: `mem:///plain/x.xsd` as it is, `mem:///strict/x.xsd` with every lax wildcard made strict
xmlRegisterInputProvider({
  match: (name) => name.startsWith('mem:///'),
  open: (name) => {
    const text = schema(name)
    if (text === undefined) return undefined
    open.set(++handles, { bytes: Buffer.from(text), at: 0 })
    return handles
  },
  read: (handle, buffer) => {
    const file = open.get(handle)
    if (!file) return -1
    const count = file.bytes.copy(buffer, 0, file.at)
    file.at += count
    return count
  },
  close: (handle) => open.delete(handle),
})

function schema(name: string): string | undefined {
  const [variant, file] = name.slice('mem:///'.length).split('/')
  if (!file || !readdirSync(folder).includes(file)) return undefined
  const text = readFileSync(new URL(file, folder), 'utf8')
  return variant === 'strict' ? text.replaceAll('processContents="lax"', 'processContents="strict"') : text
}

function load(variant: 'plain' | 'strict'): XsdValidator {
  const url = `mem:///${variant}/all.xsd`
  return XsdValidator.fromDoc(XmlDocument.fromString(schema(url) ?? '', { url }))
}

const validators = { plain: load('plain'), strict: load('strict') }

/** What libxml2 has to say against the document; undefined when it is valid. */
export function complaint(xml: string, variant: 'plain' | 'strict' = 'plain'): string | undefined {
  let document: XmlDocument | undefined
  try {
    document = XmlDocument.fromString(xml.replace(/^\uFEFF/, ''))
    validators[variant].validate(document)
    return undefined
  } catch (error) {
    return (error as Error).message
  } finally {
    document?.dispose()
  }
}

export function fixture(path: string): string {
  return readFileSync(new URL(`./fixtures/${path}`, import.meta.url), 'utf8')
}

export function fixtures(path: string): string[] {
  return readdirSync(new URL(`./fixtures/${path}/`, import.meta.url)).sort()
}
