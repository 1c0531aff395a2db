using Godwit.Networks.Containers;

namespace Godwit.Containers;

/// <summary>Networks joined and left.</summary>
internal sealed partial class Container
{
    internal Task ConnectAsync(EndpointSpec wanted, CancellationToken stopping) => InTurnAsync(
        async () =>
        {
            if (record.Spec.Network.Mode is not (NetworkMode.Networks or NetworkMode.None))
            {
                throw new ConflictException($"container {Name} shares the network of another and cannot be connected to one");
            }

            var endpoint = ContainerNetworking.Plan(wanted, parts.Networks);
            if (record.Endpoints.ContainsKey(endpoint.NetworkName))
            {
                throw new ConflictException($"container {Name} is already connected to network {endpoint.NetworkName}");
            }

            if (record.State.IsAlive)
            {
                TakeOver(await AskAsync(() => parts.Networks.ConnectAsync(Id.Value, endpoint, stopping)));
            }
            else
            {
                Save(record with { Endpoints = new Dictionary<string, NetworkEndpoint>(record.Endpoints, StringComparer.Ordinal) { [endpoint.NetworkName] = endpoint } });
            }

            parts.Events.Add("network", "connect", endpoint.NetworkId, new Dictionary<string, string>(StringComparer.Ordinal) { ["container"] = Id.Value, ["name"] = endpoint.NetworkName, ["type"] = "bridge" });
        },
        stopping);

    internal Task DisconnectAsync(string network, bool force, CancellationToken stopping) => InTurnAsync(
        async () =>
        {
            var gone = record.Endpoints.Values.FirstOrDefault(endpoint => endpoint.NetworkName == network || endpoint.NetworkId == network || endpoint.NetworkId.StartsWith(network, StringComparison.Ordinal));
            if (gone is null)
            {
                if (force)
                {
                    return;
                }

                throw new NotThereException($"container {Name} is not connected to network {network}");
            }

            if (record.State.IsAlive && gone.Addresses is not null)
            {
                TakeOver(await AskAsync(() => parts.Networks.DisconnectAsync(Id.Value, gone.NetworkId, stopping)));
            }
            else
            {
                Save(record with { Endpoints = record.Endpoints.Where(pair => pair.Key != gone.NetworkName).ToDictionary(StringComparer.Ordinal) });
            }

            parts.Events.Add("network", "disconnect", gone.NetworkId, new Dictionary<string, string>(StringComparer.Ordinal) { ["container"] = Id.Value, ["name"] = gone.NetworkName, ["type"] = "bridge" });
        },
        stopping);

    /// <summary>The networks have changed; the record and the container's files follow.</summary>
    private void TakeOver(NetworkMember member)
    {
        Note(record with { Endpoints = member.Endpoints.ToDictionary(endpoint => endpoint.NetworkName, StringComparer.Ordinal) });
        ContainerNetworking.Rewrite(record, Folder, parts);
    }

    private static async Task<NetworkMember> AskAsync(Func<Task<NetworkMember>> ask)
    {
        try
        {
            return await ask();
        }
        catch (NetworkException refusal)
        {
            throw ContainerNetworking.Translate(refusal);
        }
    }
}
