using System.Text.Json.Nodes;
using Godwit.Api.Machinery;

namespace Godwit.Api.Kinds;

/// <summary>
/// What a guest's description gets when its user says nothing of it: one network card on the cluster's network, plugged
/// in directly, unless told otherwise. Applying it twice changes nothing.
/// </summary>
internal static class DomainDefaults
{
    private const string DefaultNetwork = "default";

    public static void Apply(JsonObject spec)
    {
        if (spec.ObjectAt("domain") is not { } domain)
        {
            return;
        }

        var devices = domain.GetOrAddObject("devices");
        var networkless = (spec.ArrayAt("networks")?.Count ?? 0) == 0 && (devices.ArrayAt("interfaces")?.Count ?? 0) == 0;
        if (networkless && JsonAccess.AsBoolean(devices["autoattachPodInterface"]) != false)
        {
            devices["interfaces"] = new JsonArray(new JsonObject { ["name"] = DefaultNetwork });
            spec["networks"] = new JsonArray(new JsonObject { ["name"] = DefaultNetwork, ["pod"] = new JsonObject() });
        }

        foreach (var card in devices.ArrayAt("interfaces") ?? [])
        {
            (card as JsonObject)?.TryAdd("bridge", new JsonObject());
        }

        foreach (var disk in devices.ArrayAt("disks") ?? [])
        {
            if (disk is JsonObject known && known["disk"] is null && known["cdrom"] is null)
            {
                known["disk"] = new JsonObject { ["bus"] = "virtio" };
            }
        }
    }
}
