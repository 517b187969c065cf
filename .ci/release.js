import { readFileSync } from 'node:fs'

// Whether the package in the working directory may be released under a tag: `node .ci/release.js v1.2.3`. Prints what has changed.

const [tag] = process.argv.slice(2)
const { version } = JSON.parse(readFileSync('package.json', 'utf8'))
if (!/^\d+\.\d+\.\d+$/.test(version)) throw new Error(`${version} is no version that is released`)
if (tag !== `v${version}`) throw new Error(`the tag is ${tag} and the version is ${version}`)

const sections = readFileSync('CHANGELOG.md', 'utf8').split(/^## /m)
const section = sections.find((text) => text.startsWith(`[${version}] - `))
if (!/^.* - \d{4}-\d\d-\d\d\n[^]*^- /m.test(section ?? ''))
  throw new Error(`CHANGELOG.md says nothing of ${version}`)
console.log(section.trim())
