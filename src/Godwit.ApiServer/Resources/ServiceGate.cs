using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Godwit.Api;
using Godwit.Api.Core.V1;
using Godwit.Api.Machinery;
using Godwit.ApiServer.Requests;
using Godwit.Store;

namespace Godwit.ApiServer.Resources;

/// <summary>
/// Lets a service have an address and ports of the nodes that no other has, whoever chose them: its user, or the controller. Writes that claim some take turns, among all servers of a store:
/// <code>
///   turn ─▶ look at all services that are stored ─▶ free? ─▶ store ─▶ turn ends
/// </code>
/// So of two that claim the same at once, one is refused, whichever servers they came to.
/// </summary>
internal sealed class ServiceGate(IRevisionStore store, ServedResources resources, WriteTurns turns)
{
    private const string Turn = "services/addresses";
    private const string Headless = "None";

    private readonly ServedResource? services = resources.Find("", "v1", "services");
    private readonly ServedResource? settings = resources.Find("", "v1", "configmaps");

    /// <summary>Waits for the turn where the write claims something that the object did not have; it is kept until the result is disposed of.</summary>
    /// <param name="write">The write.</param>
    /// <param name="updated">What is to be stored.</param>
    /// <param name="existing">What is there; null for a new one.</param>
    /// <param name="within">What else the write holds.</param>
    /// <exception cref="StatusException">422: another has it, or it is out of range.</exception>
    public async Task<WriteRoom> EnterAsync(WriteContext write, JsonObject updated, JsonObject? existing, WriteRoom within)
    {
        if (services is null || write.Resource != services || Claims.Of(updated).Beyond(existing) is not { AreNone: false } claims)
        {
            return within;
        }

        var turn = await turns.TakeAsync(Turn, within);
        try
        {
            FieldErrors.ThrowIfAny(await CheckAsync(write, claims, turn.Stopping), write.Subject);
            return turn;
        }
        catch
        {
            await turn.DisposeAsync();
            throw;
        }
    }

    private async Task<List<FieldError>> CheckAsync(WriteContext write, Claims claims, CancellationToken stopping)
    {
        var errors = new List<FieldError>();
        var others = await OthersAsync(write, claims, stopping);
        if (claims.Address is { } address)
        {
            var range = await RangeAsync(stopping);
            var wrong = range is { } known && !Holds(known, address) ? $"the provided IP ({address}) is not in the valid range. The range of valid IPs is {known}"
                : others.Exists(other => other.Address == address) ? "provided IP is already allocated"
                : null;
            if (wrong is not null)
            {
                errors.Add(FieldError.Invalid("spec.clusterIPs", new JsonArray(address), $"failed to allocate IP {address}: {wrong}"));
            }
        }

        foreach (var (index, port) in claims.Ports)
        {
            var wrong = port is < NetworkSettings.NodePortMin or > NetworkSettings.NodePortMax
                ? string.Create(CultureInfo.InvariantCulture, $"provided port is not in the valid range. The range of valid ports is {NetworkSettings.NodePortMin}-{NetworkSettings.NodePortMax}")
                : others.Exists(other => other.Ports.Any(taken => taken.Port == port)) ? "provided port is already allocated"
                : null;
            if (wrong is not null)
            {
                errors.Add(FieldError.Invalid($"spec.ports[{index}].nodePort", port, wrong));
            }
        }

        return errors;
    }

    /// <summary>What the other services have. Only those are read in whose stored text something claimed stands.</summary>
    private async Task<List<Claims>> OthersAsync(WriteContext write, Claims claims, CancellationToken stopping)
    {
        var marks = claims.Ports.Select(claim => string.Create(CultureInfo.InvariantCulture, $"\"nodePort\":{claim.Port}"))
            .Concat(claims.Address is { } address ? [$"\"clusterIP\":\"{address}\""] : [])
            .Select(Encoding.UTF8.GetBytes).ToList();
        var list = await store.ListAsync(new StoreListQuery(services!.KeyPrefix), stopping);
        return [.. list.Items.Where(item => item.Key != write.Key && marks.Exists(mark => item.Value.Span.IndexOf(mark) >= 0)).Select(item => Claims.Of(services.Form.Decode(item.Value.Span, item.ModRevision)))];
    }

    /// <summary>Where virtual addresses come from; null when what the network's settings say is no range, as the controller will tell.</summary>
    private async Task<IPNetwork?> RangeAsync(CancellationToken stopping)
    {
        var item = settings is null ? null : await store.GetAsync(settings.Key(NamespaceNames.KubeSystem, NetworkSettings.Name), stopping);
        var asked = item is null ? null : settings!.Form.Decode(item.Value.Span, item.ModRevision).TextAt("data", NetworkSettings.ServiceRangeKey);
        return IPNetwork.TryParse(asked is { Length: > 0 } ? asked : NetworkSettings.DefaultServiceRange, out var range) ? range : null;
    }

    /// <summary>All but the range's own address and its broadcast.</summary>
    private static bool Holds(IPNetwork range, string text)
    {
        var address = IPAddress.Parse(text);
        if (!range.Contains(address) || address.Equals(range.BaseAddress))
        {
            return false;
        }

        var last = range.BaseAddress.GetAddressBytes();
        for (var bit = range.PrefixLength; bit < 32; bit++)
        {
            last[bit / 8] |= (byte)(0x80 >> (bit % 8));
        }

        return !address.GetAddressBytes().AsSpan().SequenceEqual(last);
    }

    /// <summary>What a service has for itself alone: its virtual address, and ports of the nodes with their place in the list.</summary>
    private sealed record Claims(string? Address, IReadOnlyList<(int Index, int Port)> Ports)
    {
        public bool AreNone => Address is null && Ports.Count == 0;

        public static Claims Of(JsonObject service) => new(
            service.TextAt("spec", "type") != "ExternalName" && service.TextAt("spec", "clusterIP") is { Length: > 0 } address and not Headless ? address : null,
            [.. (service.ArrayAt("spec", "ports") ?? []).Select((port, index) => (index, Port: (int)(JsonAccess.AsInt64(port.At("nodePort")) ?? 0))).Where(port => port.Port > 0)]);

        /// <summary>Without what the object had before.</summary>
        public Claims Beyond(JsonObject? existing)
        {
            if (existing is null)
            {
                return this;
            }

            var before = Of(existing);
            return new Claims(Address == before.Address ? null : Address, [.. Ports.Where(port => before.Ports.All(had => had.Port != port.Port))]);
        }
    }
}
