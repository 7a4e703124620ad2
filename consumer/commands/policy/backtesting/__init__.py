"""
`policy backtest`: reads published verdicts, from topics or files, and shows what another policy makes of them.

    topics · files ──► counts (consumer/policy/backtest) ──► result ──► terminal · JSON · CSV · page
"""
