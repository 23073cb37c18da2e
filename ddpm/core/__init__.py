"""What every computation stands on: images, random streams, the device."""
