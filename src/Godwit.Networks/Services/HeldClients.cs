using System.Net;
using System.Text.Json;
using Godwit.Linux.Commands;
using Godwit.Linux.Networking;

namespace Godwit.Networks.Services;

/// <summary>
/// Which client is held to which backend: sets of the kernel's, one a place and backend, from which a client falls when its time is over. A change of the rules replaces the table with its
/// sets, so what is in them is read before and put into the new ones. A client whose first connection falls between the two may be led elsewhere with its next.
/// </summary>
internal static class HeldClients
{
    /// <summary>Clients held to one backend by one place; more are led by turns.</summary>
    public const int ClientsMax = 16_384;

    /// <summary>What the names of such sets begin with.</summary>
    public const string Prefix = "held-";

    public static ILookup<string, HeldClient> None { get; } = Array.Empty<HeldClient>().ToLookup(_ => "");

    /// <summary>By the name of the set. None where there are no rules yet, or more than can be read: then clients are led anew.</summary>
    public static async Task<ILookup<string, HeldClient>> FindAsync(string table, NetworkNamespace place, TimeProvider time, CancellationToken stopping)
    {
        try
        {
            return Read(await new Command("nft", "-j", "list", "sets", "table", "ip", table) { Place = place }.RunAsync(time, stopping));
        }
        catch (CommandException)
        {
            return None;
        }
    }

    /// <summary>The words of nft(8) in JSON (libnftables-json(5)). What is not as expected is left out.</summary>
    public static ILookup<string, HeldClient> Read(string listing)
    {
        try
        {
            using var document = JsonDocument.Parse(listing);
            return ReadSets(document.RootElement).ToList().ToLookup(each => each.Set, each => each.Client);
        }
        catch (JsonException)
        {
            return None;
        }
    }

    private static IEnumerable<(string Set, HeldClient Client)> ReadSets(JsonElement listing)
    {
        foreach (var each in ItemsOf(listing, "nftables"))
        {
            if (Find(each, "set") is { } set && Find(set, "name") is { ValueKind: JsonValueKind.String } name && name.GetString()!.StartsWith(Prefix, StringComparison.Ordinal))
            {
                foreach (var item in ItemsOf(set, "elem"))
                {
                    if (Find(item, "elem") is { } element && Find(element, "val") is { ValueKind: JsonValueKind.String } address && IPAddress.TryParse(address.GetString(), out var client)
                        && Find(element, "expires") is { ValueKind: JsonValueKind.Number } expires && expires.TryGetInt32(out var seconds))
                    {
                        yield return (name.GetString()!, new HeldClient(client, seconds));
                    }
                }
            }
        }
    }

    private static JsonElement? Find(JsonElement element, string name) => element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var found) ? found : null;

    private static JsonElement.ArrayEnumerator ItemsOf(JsonElement element, string name) => Find(element, name) is { ValueKind: JsonValueKind.Array } list ? list.EnumerateArray() : default;
}

/// <summary>A client that is held, and for how many seconds more.</summary>
internal readonly record struct HeldClient(IPAddress Address, int Seconds);
