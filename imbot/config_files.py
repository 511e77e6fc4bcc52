"""Types of files that run, or lead elsewhere, when they are opened: refused unless the settings say otherwise.

After Outlook's list of blocked attachments and Gmail's; docs/files.md says what of them is left out, and why.
"""

from __future__ import annotations

REFUSED_TYPES = (
    # programs and installers
    *("exe", "com", "scr", "pif", "cpl", "dll", "sys", "vxd", "ocx", "drv", "ex", "ex_", "msi", "msix"),
    *("msixbundle", "msp", "mst", "msu", "appx", "appxbundle", "appinstaller", "app", "apk", "deb", "rpm", "dmg"),
    *("pkg", "jar", "jnlp", "run", "appimage", "crx", "xpi", "bgi"),
    # scripts
    *("bat", "cmd", "js", "jse", "mjs", "vb", "vbe", "vbs", "vbp", "ws", "wsf", "wsh", "wsc", "sct", "hta", "htc"),
    *("sh", "bash", "csh", "ksh", "zsh", "command", "nsh", "py", "pyc", "pyo", "pyw", "pyz", "pyzw", "pl", "bas"),
    *("a3x", "scpt", "scptd", "applescript", "workflow"),
    # PowerShell
    *("ps1", "ps1xml", "ps2", "ps2xml", "psc1", "psc2", "psd1", "psdm1", "psm1", "pssc", "cdxml", "msh", "msh1"),
    *("msh2", "mshxml", "msh1xml", "msh2xml"),
    # shortcuts and what leads elsewhere
    *("lnk", "url", "website", "webpnp", "webloc", "inetloc", "fileloc", "desktop", "scf", "rdp", "library-ms"),
    *("search-ms", "searchconnector-ms", "settingcontent-ms", "appcontent-ms", "appref-ms", "application", "mcf"),
    *("udl", "xnk"),
    # consoles, settings, tasks and helpers of Windows
    *("msc", "reg", "inf", "ins", "isp", "job", "gadget", "grp", "hlp", "hpj", "cnt", "chm", "its", "diagcab"),
    *("diagcfg", "diagpkg", "osd", "pcd", "plg", "prf", "prg", "ops", "fxp", "shb", "shs", "theme", "themepack"),
    *("deskthemepack", "printerexport", "wsb", "xbap"),
    # add-ins, links to data and programs of office suites (documents, with macros or without, are not among them)
    *("xll", "xla", "xlam", "wll", "ppa", "ppam", "iqy", "oqy", "dqy", "rqy", "slk", "ade", "adp", "mad", "maf"),
    *("mag", "mam", "maq", "mar", "mas", "mau", "mav", "maw", "mda", "mde", "mdt", "mdw", "mdz", "accda", "accde"),
    *("accdr", "vsmacros", "vsw"),
    # images of disks, and archives that Windows installs from
    *("iso", "img", "vhd", "vhdx", "cab"),
)
