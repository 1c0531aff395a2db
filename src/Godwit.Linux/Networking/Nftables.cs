using Godwit.Linux.Commands;

namespace Godwit.Linux.Networking;

/// <summary>Packet filter rules in the words of nft(8). A ruleset is taken as a whole or not at all.</summary>
public static class Nftables
{
    /// <exception cref="CommandException">nft refused the ruleset; nothing has changed.</exception>
    public static Task ApplyAsync(string ruleset, NetworkNamespace place, TimeProvider time, CancellationToken stopping) =>
        new Command("nft", "-f", "-") { Input = ruleset, Place = place }.RunAsync(time, stopping);
}
